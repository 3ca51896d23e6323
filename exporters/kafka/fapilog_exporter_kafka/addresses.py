"""Addresses of brokers, as people write them. Pure functions. Threads: the configuring one."""

from __future__ import annotations

import ipaddress
import re

_USUAL_PORT = 9_092
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?")


def broker_address(text: str) -> str:
    """Return an address as `HOST:PORT`; without a port it is Kafka's usual one.

    Raises:
        ValueError: If it is none.

    Example:
        >>> [broker_address(text) for text in ("kafka", "10.0.0.7:9093", "[::1]:9092")]
        ['kafka:9092', '10.0.0.7:9093', '[::1]:9092']
    """
    found = _ADDRESS.fullmatch(text.strip())
    port = int(found["port"] or _USUAL_PORT) if found else 0
    if found is None or not 0 < port < 65_536:
        raise ValueError("it must be HOST or HOST:PORT, without a scheme and without a path")
    return f"{found['host']}:{port}"


def is_private(address: str) -> bool:
    """Tell whether what is sent there stays on this machine.

    Example:
        >>> [is_private(text) for text in ("localhost:9092", "127.0.0.1:9092", "[::1]:9092", "kafka:9092")]
        [True, True, True, False]
    """
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
