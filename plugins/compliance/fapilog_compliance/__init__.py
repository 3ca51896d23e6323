"""The profiles that `fapilog` finds by the entry point group `fapilog.profiles`: one TOML file each."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import as_file, files

from fapilog import PluginMetadata
from fapilog.compliance import Profile, read

__all__ = ["gdpr", "hipaa", "pci_dss", "soc2", "sox"]


def pci_dss() -> Profile:
    """Return the profile that helps with PCI DSS: cardholder data in logs."""
    return _profile("pci-dss")


def hipaa() -> Profile:
    """Return the profile that helps with HIPAA: the 18 identifiers of Safe Harbor."""
    return _profile("hipaa")


def gdpr() -> Profile:
    """Return the profile that helps with the GDPR: few personal data, for a limited time."""
    return _profile("gdpr")


def sox() -> Profile:
    """Return the profile that helps with SOX: whole records of access and change, kept."""
    return _profile("sox")


def soc2() -> Profile:
    """Return the profile that helps with SOC 2: confidentiality, transmission, monitoring."""
    return _profile("soc2")


def _describe(name: str, make: Callable[[], Profile]) -> None:
    """Let a profile say what it is, for `fapilog plugins info`."""
    about = (make.__doc__ or "").removeprefix("Return the profile that helps with ")
    make.__dict__["fapilog_plugin"] = PluginMetadata(
        name=name,
        version=version("fapilog-compliance"),
        type="profile",
        description=f"Helps with {about}",
    )


for _name, _make in {"pci-dss": pci_dss, "hipaa": hipaa, "gdpr": gdpr, "sox": sox, "soc2": soc2}.items():
    _describe(_name, _make)


def _profile(name: str) -> Profile:
    with as_file(files(__name__) / "profiles" / f"{name}.toml") as path:
        return read(path)
