"""Read a configuration file of OpenTelemetry: values with variables put in, and the line of each.

OpenTelemetry configuration, file format 1.x: `${NAME}`, `${env:NAME}`, `${NAME:-default}` and `$$` are
replaced in values after parsing, never in keys or comments. What was one whole unquoted reference gets its
type from the text that took its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_REFERENCE = re.compile(r"\$\$|\$\{(?:env:)?(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\}", re.ASCII)
_TEXT_TAG = "tag:yaml.org,2002:str"

Keys = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """What a file says.

    Attributes:
        path: The file.
        content: Its top level.
        lines: Line of each value, by its keys from the top; empty for JSON.
    """

    path: Path
    content: Mapping[str, Any]
    lines: Mapping[Keys, int] = field(default_factory=dict)

    def origin(self, *keys: str | int) -> str:
        """Say where a value stands, as errors and `explain()` show it.

        Example:
            >>> Document(Path("otel.yaml"), {}, {("resource",): 3}).origin("resource")
            'otel.yaml:3 (resource)'
        """
        line = self.lines.get(keys)
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")
        return f"{self.path}:{line} ({path})" if line is not None else f"{self.path} ({path})"


def read(path: Path, environ: Mapping[str, str]) -> Document:
    """Read a file that was found to be one of OpenTelemetry's.

    Args:
        path: YAML, or JSON by its suffix.
        environ: Where `${NAME}` comes from; one that is not set is empty.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is not YAML or JSON.
    """
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return Document(path, _put_in(json.loads(text), environ))
    import yaml  # noqa: PLC0415 - 20 ms that only a YAML file is worth

    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        walk = _Walk(environ, loader)
        if root is not None:
            walk.visit(root)
        content = loader.construct_document(root) if root is not None else {}
        return Document(path, content if isinstance(content, dict) else {}, walk.lines)
    finally:
        loader.dispose()


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Replace the references of one value.

    Example:
        >>> substitute("http://${HOST:-localhost}:$${PORT}", {})
        'http://localhost:${PORT}'
    """

    def replacement(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        return environ.get(found["name"], found["default"] or "")

    return _REFERENCE.sub(replacement, text)


def _put_in(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return substitute(value, environ)
    if isinstance(value, list):
        return [_put_in(item, environ) for item in value]
    return {key: _put_in(item, environ) for key, item in value.items()} if isinstance(value, dict) else value


class _Walk:
    """One walk over the nodes of a YAML file: notes the line of each and puts variables in."""

    def __init__(self, environ: Mapping[str, str], loader: Any) -> None:
        self.lines: dict[Keys, int] = {}
        self._environ = environ
        self._loader = loader
        # An anchor is one node in several places, and may even hold its own alias: it is changed only once.
        self._seen: set[int] = set()

    def visit(self, node: Any, keys: Keys = ()) -> None:
        """Visit a node and what is below it."""
        self.lines.setdefault(keys, node.start_mark.line + 1)
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if node.id == "scalar":
            self._put_in(node)
        elif node.id == "sequence":
            for number, item in enumerate(node.value):
                self.visit(item, (*keys, number))
        else:
            for key, value in node.value:
                # A person looks for the key, not for what may start on the next line.
                self.lines[(*keys, str(key.value))] = key.start_mark.line + 1
                self.visit(value, (*keys, str(key.value)))

    def _put_in(self, node: Any) -> None:
        if node.tag != _TEXT_TAG:
            return
        whole = _REFERENCE.fullmatch(node.value)
        node.value = substitute(node.value, self._environ)
        if node.style is None and whole is not None and whole["name"] is not None:
            node.tag = self._loader.resolve(type(node), node.value, (True, False))
