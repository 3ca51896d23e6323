"""Where a cluster is: URLs, Elastic Cloud ids, and the header that opens it. Pure functions."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from urllib.parse import urlsplit


def node_url(url: str) -> str:
    """Return the URL of a node without a slash at its end.

    Raises:
        ValueError: If it is no URL of a node, or holds credentials.

    Example:
        >>> node_url("https://logs.example:9200/")
        'https://logs.example:9200'
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("each must be a URL such as https://HOST:9200")
    if parts.query or parts.fragment or parts.username is not None or parts.password is not None:
        raise ValueError("they take no query and no credentials: api_key, username and password are settings")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def is_private(url: str) -> bool:
    """Tell whether nobody on the way can read what is sent: TLS, or this machine.

    Example:
        >>> [is_private(url) for url in ("https://a.example", "http://127.0.0.1:9200", "http://a.example")]
        [True, True, False]
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def cloud_url(cloud_id: str) -> str:
    """Return the URL that an Elastic Cloud id stands for: `name:base64(host[:port]$es[:port]$kibana)`.

    Raises:
        ValueError: If it is none.

    Example:
        >>> cloud_url("logs:" + base64.b64encode(b"eu.cloud.example:9243$abc$def").decode())
        'https://abc.eu.cloud.example:9243'
    """
    wrong = "it must be the cloud id of a deployment, NAME:BASE64, as its page shows it"
    try:
        parts = (
            base64.b64decode(cloud_id.strip().rpartition(":")[2], validate=True).decode("ascii").split("$")
        )
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError(wrong) from None
    if len(parts) < 2 or not parts[0] or not parts[1]:
        raise ValueError(wrong)
    host, _, port = parts[0].partition(":")
    name, _, own_port = parts[1].partition(":")
    return node_url(f"https://{name}.{host}:{own_port or port or '443'}")


def api_key_header(key: str) -> str:
    """Return the header `Authorization` for an API key: as Elasticsearch shows it (`encoded`), or `id:key`.

    Example:
        >>> api_key_header("id:key") == api_key_header("aWQ6a2V5")
        True
    """
    return f"ApiKey {_base64(key) if ':' in key else key}"


def basic_header(username: str, password: str) -> str:
    """Return the header `Authorization` for a user.

    Example:
        >>> basic_header("u", "p")
        'Basic dTpw'
    """
    return f"Basic {_base64(f'{username}:{password}')}"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
