"""New packages: one plugin of a kind, with its tests, README and CI, made of templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template
from types import MappingProxyType
from typing import NamedTuple

from fapilog.plugins import COMMANDS, DETECTORS, ENRICHERS, EXPORTERS, PROCESSORS, PROFILES

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 30
_CI = ".github/workflows/test.yml"


class UnusableNameError(ValueError):
    """A name that no package, module and plugin can have: a clause that says why."""


class Kind(NamedTuple):
    """What is made for one kind of plugin.

    Attributes:
        group: Its entry-point group.
        target: What the entry point names; empty: a class with the name of the plugin.
        about: What the made plugin does.
        use: How a service uses it; `{plugin}` is its name.
        dependencies: Besides fapilog.
    """

    group: str
    target: str
    about: str
    use: str
    dependencies: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "exporter": Kind(
            EXPORTERS, "", "Appends log records to a file, as lines of JSON.", "FAPILOG_EXPORTERS={plugin}"
        ),
        "processor": Kind(
            PROCESSORS, "", "Leaves out what health checks log.", "FAPILOG_BATCH_PROCESSORS={plugin}"
        ),
        "enricher": Kind(
            ENRICHERS,
            "attributes",
            "Adds the colour of a blue-green deployment to each record.",
            "FAPILOG_ENRICHERS={plugin}",
        ),
        "detector": Kind(
            DETECTORS,
            "RULES",
            "Hides ticket numbers and names of projects.",
            "FAPILOG_REDACTION_DETECTORS={plugin}",
        ),
        "profile": Kind(
            PROFILES, "profile", "House rules for logs, as a profile.", "FAPILOG_COMPLIANCE={plugin}"
        ),
        "command": Kind(
            COMMANDS, "app", "Says what is configured here.", "fapilog {plugin} level", ("typer",)
        ),
    }
)


def scaffold(kind: str, name: str, parent: Path) -> Path:
    """Write a new package into a new folder of `parent`, and return the folder.

    Args:
        kind: One of `KINDS`.
        name: Of the distribution: small letters, digits and dashes.
        parent: Where the folder of that name is made.

    Raises:
        UnusableNameError: The name cannot be used.
        FileExistsError: The folder is there already.
    """
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise UnusableNameError(f"{name!r} is no name: small letters, digits and dashes, at most 30")
    folder = parent / name
    folder.mkdir(parents=True)
    words = _words(kind, name)
    for path, template in _files(kind, words["module"]).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(template.read_text("utf-8")).substitute(words), "utf-8")
    (folder / words["module"] / "py.typed").touch()
    return folder


def _words(kind: str, name: str) -> dict[str, str]:
    described = KINDS[kind]
    module = name.replace("-", "_")
    plugin = name if kind in ("profile", "command") else module
    return {
        "distribution": name,
        "module": module,
        "plugin": plugin,
        "rule": name,
        "target": described.target or "".join(part.capitalize() for part in name.split("-")),
        "variable": module.upper(),
        "group": described.group,
        "kind_article": f"{'An' if kind[0] in 'aeiou' else 'A'} {kind}",
        "about": described.about,
        "use": f"`{described.use.format(plugin=plugin)}` uses it.",
        "more_dependencies": "".join(f', "{each}"' for each in described.dependencies),
    }


def _files(kind: str, module: str) -> dict[str, Traversable]:
    """The template of each file, by its path in the package."""
    templates = files(__package__) / "templates"
    common, own = templates / "common", templates / kind
    found = {
        "pyproject.toml": common / "pyproject.toml.txt",
        "README.md": common / "README.md.txt",
        _CI: common / "ci.yml.txt",
        f"{module}/__init__.py": own / "plugin.py.txt",
        f"tests/test_{module}.py": own / "test.py.txt",
    }
    if kind == "profile":
        found[f"{module}/profile.toml"] = own / "profile.toml.txt"
    return found
