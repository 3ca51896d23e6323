"""Settings of the webhook exporter (stage 6). Data and its checks only."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from fapilog.errors import ConfigurationError, Problem
from fapilog.settings import types
from fapilog.settings.types import FrozenDict, Group, NotNegative, Positive, conflict


class WebhookSettings(Group):
    """Stage 6: the webhook exporter, which posts JSON batches to a URL and signs them."""

    url: types.WebUrl | None = Field(
        None,
        description="Where batches are posted to. Needed by the exporter `webhook`. Shown without its path.",
    )
    form: Literal["otlp_json", "json"] = Field(
        "otlp_json",
        description="`otlp_json`: an OTLP document. `json`: an array of flat records, as the console's style"
        " `json`, each with its resource.",
    )
    secret: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, description="Signs every body (HMAC-SHA256); None: no signature. Secret."
    )
    old_secret: Annotated[SecretStr, Field(min_length=1)] | None = Field(
        None, description="Signs too, until every receiver knows the new secret. Secret."
    )
    headers: types.Headers = Field(
        default_factory=FrozenDict, description="Further request headers: a list or a mapping. Secret."
    )
    max_body_bytes: Positive = Field(
        1_048_576,
        description="Largest body; a larger one is split. A record that is larger alone is rejected.",
    )
    timeout_millis: NotNegative = Field(10_000, description="Time for one post; 0: no limit.")
    allow_http: types.Flag = Field(
        False,
        description="Post over plain HTTP to other machines too: anybody on the way can read and change.",
    )
    certificate: types.PemFile | None = Field(
        None, description="PEM file of trusted authorities; None: the platform's."
    )

    @model_validator(mode="after")
    def _is_private(self) -> WebhookSettings:
        if self.url is None or self.allow_http or urlsplit(self.url).scheme == "https":
            return self
        if is_loopback(urlsplit(self.url).hostname or ""):
            return self
        raise conflict(
            "webhook-not-private",
            "the webhook would send records over plain HTTP to another machine",
            "set {url} to an https:// URL, or {allow_http} to true",
            url=self.url,
            allow_http=self.allow_http,
        )

    @model_validator(mode="after")
    def _old_has_new(self) -> WebhookSettings:
        if self.old_secret is not None and self.secret is None:
            raise conflict(
                "webhook-secret-missing",
                "the webhook has an old secret and no secret",
                "set {secret}; the old one is for the time of a change",
                secret=self.secret,
                old_secret=self.old_secret,
            )
        return self

    def signing_secrets(self) -> tuple[str, ...]:
        """The secrets that sign, the current one first."""
        given = (self.secret, self.old_secret)
        return tuple(secret.get_secret_value() for secret in given if secret is not None)

    def required_url(self) -> str:
        """The URL.

        Raises:
            ConfigurationError: `webhook-url-missing`, if there is none.
        """
        if self.url is None:
            remedy = "set webhook.url (FAPILOG_WEBHOOK_URL)"
            raise ConfigurationError(
                [Problem("webhook-url-missing", "the exporter webhook has no URL", (), remedy)]
            )
        return self.url


def is_loopback(host: str) -> bool:
    """Whether what is sent to a host stays on this machine.

    Example:
        >>> [is_loopback(host) for host in ("localhost", "127.0.0.2", "::1", "example.com")]
        [True, True, True, False]
    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
