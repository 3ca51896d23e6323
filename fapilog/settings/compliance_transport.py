"""Which endpoints the compliance profiles refuse: those that are not `https`, but for the machine itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fapilog.compliance import Need
from fapilog.errors import OffendingSetting, Problem
from fapilog.settings import problems
from fapilog.settings.parse import mask_path, mask_url
from fapilog.settings.webhook import is_loopback

if TYPE_CHECKING:
    from fapilog.settings.model import Settings

# The stock exporters of the other two signals read these themselves.
_SIGNALS = {"OTEL_TRACES_EXPORTER": "TRACES", "OTEL_METRICS_EXPORTER": "METRICS"}
_PREFIX = "OTEL_EXPORTER_OTLP"


def refused(
    settings: Settings, need: Need, origin: Callable[[str], str], environ: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield the endpoints that are not private enough.

    Addresses of the machine itself are exempt: a collector beside the service is usual, and what it sends on
    is its own business. Exporters that were passed as objects cannot be looked at.

    Args:
        settings: Validated, but for this.
        need: The clause that asks for TLS.
        origin: Where the value of a setting comes from.
        environ: Variables, for what the stock exporters of traces and metrics read.
    """
    for name, shown in _plain(settings):
        where = problems.place(name, origin(name))
        yield _problem(name, shown, problems.setting(name, shown, origin(name), "").origin, where, need)
    for variable, value in _plain_signals(environ):
        yield _problem(variable, mask_url(value), "the environment", variable, need)


def _problem(name: str, shown: str, origin: str, where: str, need: Need) -> Problem:
    remedy = f"set {where} to an https:// address, or send to a collector on this machine"
    what = f"{name} would send records without TLS, which {need.source} {need.clause} asks for"
    return Problem("tls-required", what, (OffendingSetting(name, repr(shown), origin, remedy),), remedy)


def _plain(settings: Settings) -> Iterator[tuple[str, str]]:
    used = {*(settings.exporters or ("otlp",)), *settings.delivery.fallback.values()}
    if "otlp" in used and _is_plain(settings.otlp.endpoint, insecure=settings.otlp.insecure):
        yield "otlp.endpoint", mask_url(settings.otlp.endpoint)
    if "webhook" in used and settings.webhook.url and _is_plain(settings.webhook.url, insecure=True):
        yield "webhook.url", mask_path(settings.webhook.url)


def _plain_signals(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for exporter, signal in _SIGNALS.items():
        if environ.get(exporter, "").strip().lower() == "none":
            continue
        names = (f"{_PREFIX}_{signal}_ENDPOINT", f"{_PREFIX}_ENDPOINT")
        name = next((name for name in names if environ.get(name, "").strip()), None)
        flags = (environ.get(f"{_PREFIX}_{part}INSECURE", "") for part in (f"{signal}_", ""))
        insecure = next((flag.strip().lower() for flag in flags if flag.strip()), "") == "true"
        # The general address serves logs too, and is named there.
        if name is not None and name != names[1] and _is_plain(environ[name].strip(), insecure=insecure):
            yield name, environ[name].strip()
        elif name == names[1] and _is_plain(environ[name].strip(), insecure=insecure):
            yield name, environ[name].strip()
            return


def _is_plain(url: str, *, insecure: bool) -> bool:
    """Tell whether an address is not https; one of gRPC without a scheme is so when `insecure` says it."""
    scheme, separator, _ = url.partition("://")
    if not separator:
        return insecure and not is_loopback(urlsplit(f"//{url}").hostname or "")
    return scheme.lower() != "https" and not is_loopback(urlsplit(url).hostname or "")
