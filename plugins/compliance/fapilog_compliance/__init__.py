"""The profiles that `fapilog` finds by the entry point group `fapilog.profiles`: one TOML file each."""

from __future__ import annotations

from importlib.resources import as_file, files

from fapilog.compliance import Profile, read

__all__ = ["pci_dss"]


def pci_dss() -> Profile:
    """Return the profile that helps with PCI DSS: cardholder data in logs."""
    return _profile("pci-dss")


def _profile(name: str) -> Profile:
    with as_file(files(__name__) / "profiles" / f"{name}.toml") as path:
        return read(path)
