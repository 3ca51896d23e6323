"""Rewrite the generated parts of `docs/*/*.md` from the code: `python docs/generate.py`.

What stands between the markers belongs to this script, the rest of a page to its author.
`tests/contract/test_docs.py` asserts that the committed pages equal what this script writes.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer.main

# The tree next to this script, not an installed one.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "instrumentation" / "fastapi"))

from fapilog import error_codes, errors
from fapilog._native import scan_kinds
from fapilog.cli.main import app
from fapilog.compliance import Profile
from fapilog.compliance import read as read_profile
from fapilog.diagnostics import NOTICES
from fapilog.event import CONTEXT_NAMES
from fapilog.plugins import GROUPS
from fapilog.settings import Settings
from fapilog.settings.explain import masked, text
from fapilog.settings.groups import nested
from fapilog.settings.presets import Preset
from fapilog.settings.presets import load as load_presets
from fapilog.settings.redaction import RedactionSettings
from fapilog.settings.variables import ROWS, Row
from fapilog.severity import Severity
from fapilog_instrumentation_fastapi.settings import RequestLogging
from fapilog_instrumentation_fastapi.settings_sources import rows as fastapi_rows

REFERENCE = Path(__file__).resolve().parent / "reference"
_PROFILES = REFERENCE.parents[1] / "plugins" / "compliance" / "fapilog_compliance" / "profiles"
_PART = re.compile(r"(<!-- begin generated: (?P<name>\w+) -->\n).*?(<!-- end generated -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    escaped = (tuple(cell.replace("|", "\\|") for cell in row) for row in rows)
    lines = [head, tuple("---" for _ in head), *escaped]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def settings() -> str:
    """One table of settings for each group."""
    return "\n\n".join(f"## {title}\n\n{about}\n\n{body}" for title, about, body in _groups(Settings))


def _groups(model: type[Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    rows, inner = [], []
    for field, info in model.model_fields.items():
        group = nested(info.annotation)
        if group:
            inner.append((group, f"{prefix}{field}."))
        else:
            rows.append(_setting(ROWS[prefix + field], info))
    about = "Everything that belongs to no group." if model is Settings else inspect.getdoc(model) or ""
    head = ("setting", "value", "default", "variables", "what it does")
    yield prefix.rstrip(".") or "Top level", about, table(head, rows)
    for group, path in inner:
        yield from _groups(group, path)


def _setting(row: Row, info: Any) -> tuple[str, ...]:
    default = text(masked(row.name, info.get_default(call_default_factory=True)))
    variables = ", ".join(f"`{variable.name}`" for variable in row.variables)
    return (
        f"`{row.name}`",
        _values(info.annotation, row),
        f"`{default}` ({row.source})",
        variables,
        info.description,
    )


def _values(annotation: Any, row: Row) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(annotation))
    return row.unit


def fastapi_settings() -> str:
    """One table of the settings of `instrument_fastapi` for each group."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for row in fastapi_rows(RequestLogging):
        default = ", ".join(row.default) if isinstance(row.default, tuple) else text(row.default)
        default = row.default.name.lower() if isinstance(row.default, Severity) else default
        shown = f"`{default}`" if default else "none"
        about = f"{row.about} In {row.unit}." if row.unit else row.about
        cells = (f"`{row.path}`", f"{shown} ({row.source})", f"`{row.variable}`", about)
        groups.setdefault(row.path.rpartition(".")[0], []).append(cells)
    head = ("setting", "default", "variable", "what it does")
    abouts = {
        name: inspect.getdoc(type(field.default)) for name, field in RequestLogging.model_fields.items()
    }
    parts = []
    for group, cells in groups.items():
        about = abouts[group] if group else "Everything that belongs to no group."
        parts.append(f"## {group or 'Top level'}\n\n{about}\n\n{table(head, cells)}")
    return "\n\n".join(parts)


def environment() -> str:
    """One row for each variable."""
    rows = [
        (
            f"`{variable.name}`",
            f"`{row.name}`",
            row.unit,
            f"{place} of {len(row.variables)}",
            "a warning, ignored" if variable.lenient else "an error",
        )
        for row in ROWS.values()
        for place, variable in enumerate(row.variables, start=1)
    ]
    return table(
        ("variable", "setting", "value", "precedence", "a value that cannot be used is"), sorted(rows)
    )


def tree() -> str:
    """The exception tree as it is drawn at the head of `errors.py`."""
    drawing = re.search(r"```\n.*?```", inspect.getdoc(errors) or "", re.DOTALL)
    return drawing.group() if drawing else ""


def codes() -> str:
    """One heading for each code."""
    return "\n\n".join(
        f"### {code}\n\n`{entry.exception}`. {entry.meaning} What to do: {entry.remedy}"
        for code, entry in error_codes.CODES.items()
    )


def notices() -> str:
    """One heading for each line that the logger says on stderr."""
    return "\n\n".join(f"### {code}\n\n{meaning}" for code, meaning in NOTICES.items())


def context() -> str:
    """Context keys and their semantic-convention names."""
    return table(
        ("context key", "attribute"), [(f"`{key}`", f"`{name}`") for key, name in CONTEXT_NAMES.items()]
    )


def commands() -> str:
    """One heading for each command of the core; packages can add more."""
    return "\n\n".join(_command("fapilog", typer.main.get_command(app)))


def _command(path: str, command: Any) -> Iterator[str]:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    names = " ".join(p.name.upper() if p.required else f"[{p.name.upper()}]" for p in arguments)
    options = [(" ".join(f"`{name}`" for name in p.opts), p.help or "") for p in command.params]
    body = table(("argument or option", "what it does"), options) if options else ""
    usage = f"{path} {names}".strip()
    yield "\n\n".join(
        part for part in (f"## {path}", f"`{usage}`: {inspect.cleandoc(command.help or '')}", body) if part
    )
    for name, inner in getattr(command, "commands", {}).items():
        yield from _command(f"{path} {name}", inner)


def plugin_groups() -> str:
    """One row for each entry-point group."""
    return table(("group", "what the object is"), [(f"`{name}`", about) for name, about in GROUPS.items()])


def presets() -> str:
    """One row for each vendor."""
    head = ("preset", "vendor", "endpoint", "protocols", "key", "parameters", "good to know", "not verified")
    return table(head, [_preset(preset) for preset in load_presets().values()])


_KEYS = {
    "api_key": "`api_key`",
    "basic": "`api_key`",
    "function": "an auth function",
    "none": "none",
}


def _preset(preset: Preset) -> tuple[str, ...]:
    parameters = "; ".join(
        f"`{name}`: {one.about}" + (f" (default `{one.default}`)" if one.default else "")
        for name, one in preset.parameters.items()
    )
    return (
        f"`{preset.name}`",
        f"[{preset.title}]({preset.source})",
        f"`{preset.endpoint}`",
        ", ".join(f"`{protocol}`" for protocol in preset.protocols),
        _KEYS[preset.auth],
        parameters or "none",
        preset.note,
        preset.unverified,
    )


_NEEDS = {
    "A": "its shape, prefix or checksum",
    "B": "a checksum and a word",
    "C": "a word, or the name of its key",
}


def redaction_types() -> str:
    """One row for each type of sensitive values."""
    head = ("type", "marker", "group", "what it needs", "default action")
    looked_for: Any = (RedactionSettings(mode="scan").native() or {})["kinds"]
    return table(
        head,
        [
            (
                f"`{kind}`",
                f"`[REDACTED:{word}]`",
                group,
                _NEEDS[tier],
                "remove" if kind in looked_for else "keep",
            )
            for kind, word, group, tier in scan_kinds()
        ],
    )


def profiles() -> str:
    """For each profile what it does with which type, and its clauses."""
    return "\n\n".join(_profile(read_profile(path)) for path in sorted(_PROFILES.glob("*.toml")))


def _profile(profile: Profile) -> str:
    actions = (
        (f"`{each.target}`", f"`{each.do}`", f"`{each.weakest or each.do}`", each.clause)
        for each in profile.measures
    )
    clauses = (
        (
            each.id,
            each.asks,
            each.mechanism,
            " ".join(f"`{check}`" for check in each.checks) or "-",
            each.cannot,
        )
        for each in profile.clauses
    )
    return "\n\n".join(
        (
            f"### `{profile.name}`: {profile.title}, {profile.standard}",
            f"{profile.summary} Version {profile.version} of {profile.updated}.",
            table(("type or group", "action", "at most", "clause"), actions),
            table(("clause", "asks", "what fapilog does", "checked by", "stays with you"), clauses),
        )
    )


PARTS: dict[str, Callable[[], str]] = {
    part.__name__: part
    for part in (
        settings,
        fastapi_settings,
        environment,
        tree,
        codes,
        notices,
        context,
        commands,
        plugin_groups,
        presets,
        redaction_types,
        profiles,
    )
}


def generated(page: str) -> str:
    """The page with every generated part written anew."""

    def write(match: re.Match[str]) -> str:
        return f"{match[1]}\n{PARTS[match['name']]()}\n\n{match[3]}"

    return _PART.sub(write, page)


def main() -> None:
    """Rewrite the pages in place and name those that changed."""
    for path in sorted(REFERENCE.parent.glob("*/*.md")):
        before = path.read_text(encoding="utf-8")
        after = generated(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            sys.stdout.write(f"rewrote {path.relative_to(REFERENCE.parents[1])}\n")


if __name__ == "__main__":
    main()
