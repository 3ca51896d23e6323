"""The template of the route that a router chose: `http.route`, never the path itself. Thread: caller.

FastAPI leaves the route in the scope, with the prefixes of included routers in a context beside it; Starlette
leaves the endpoint alone; a mount leaves the part of the path that it took. What has to be searched for is
remembered by endpoint and mount.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

# Mounts with parameters take parts of paths, which come from outside.
_REMEMBERED = 4_096


class Routes:
    """Finds templates, and remembers those that it had to search for."""

    __slots__ = ("_found", "_prefixes")

    def __init__(self) -> None:
        self._found: dict[tuple[Any, str], str | None] = {}
        self._prefixes: dict[str, str] = {}

    def find(self, scope: MutableMapping[str, Any]) -> str | None:
        """Return the template of the route that was chosen; None where none was, or it cannot be told."""
        route = scope.get("route")
        if route is None:
            return self._searched(scope)
        template: str | None = _of_included_router(scope, route) or getattr(route, "path_format", None)
        if template is None:
            return None
        if "app_root_path" in scope:
            return self._prefix(scope) + template
        return template

    def _prefix(self, scope: MutableMapping[str, Any]) -> str:
        """The template of the mounts above the route."""
        taken = scope.get("root_path", "")[len(scope["app_root_path"]) :]
        if not taken:
            return ""
        known = self._prefixes.get(taken)
        if known is None:
            known = _mounts(scope.get("router"), taken)
            if len(self._prefixes) < _REMEMBERED:
                self._prefixes[taken] = known
        return known

    def _searched(self, scope: MutableMapping[str, Any]) -> str | None:
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return None
        prefix = self._prefix(scope) if "app_root_path" in scope else ""
        try:
            key = (endpoint, prefix)
            if key in self._found:
                return self._found[key]
        except TypeError:
            return None
        found = _templates(scope.get("router"), endpoint)
        template = found[0] if len(found) == 1 else prefix or None
        if len(self._found) < _REMEMBERED:
            self._found[key] = template
        return template


def _of_included_router(scope: MutableMapping[str, Any], route: Any) -> Any:
    """FastAPI 0.137 and newer keep the prefixes of `include_router` beside the route."""
    inner = scope.get("fastapi")
    context = inner.get("effective_route_context") if inner is not None else None
    if context is None or getattr(context, "original_route", None) is not route:
        return None
    return getattr(context, "path_format", None)


def _mounts(router: Any, taken: str) -> str:
    """The template of the mounts that took this beginning of a path; the path itself where none fits."""
    for route in getattr(router, "routes", ()) or ():
        if not _is_mount(route):
            continue
        own = route.path_format.removesuffix("/{path}")
        if own == taken:
            return str(own)
        match = route.path_regex.match(taken + "/")
        if match is None:
            continue
        rest = "/" + match.group("path")
        inner = _mounts(route, rest.rstrip("/")) if rest.rstrip("/") else ""
        return str(own) + inner
    return taken


def _templates(router: Any, endpoint: Any, prefix: str = "") -> list[str]:
    """The templates of every route with this endpoint."""
    found = []
    for route in getattr(router, "routes", ()) or ():
        if _is_mount(route):
            found.extend(_templates(route, endpoint, prefix + route.path_format.removesuffix("/{path}")))
        elif getattr(route, "endpoint", None) == endpoint:
            found.append(prefix + route.path_format)
    return list(dict.fromkeys(found))


def _is_mount(route: Any) -> bool:
    return hasattr(route, "path_regex") and hasattr(route, "routes") and not hasattr(route, "endpoint")


def all_templates(router: Any) -> Iterator[str]:
    """Yield the templates of all routes, for checks of settings."""
    for route in getattr(router, "routes", ()) or ():
        if _is_mount(route):
            prefix = route.path_format.removesuffix("/{path}")
            yield from (prefix + inner for inner in all_templates(route))
        elif hasattr(route, "path_format"):
            yield route.path_format
