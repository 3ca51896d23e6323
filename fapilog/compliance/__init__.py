"""Compliance profiles: what a standard asks of logs, as data that the settings apply.

A profile helps with clauses of a standard; it does not make a service meet the standard. Each clause says
what fapilog does for it, how that is checked, and what is left to people. Threads: the configuring one.
"""

from fapilog.compliance.combined import Combined, Need, combine, load
from fapilog.compliance.errors import ProfileError
from fapilog.compliance.loader import installed, read
from fapilog.compliance.profile import CategoryFields, Clause, Measure, Profile, Retention

__all__ = [
    "CategoryFields",
    "Clause",
    "Combined",
    "Measure",
    "Need",
    "Profile",
    "ProfileError",
    "Retention",
    "combine",
    "installed",
    "load",
    "read",
]
