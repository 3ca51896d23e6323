"""The template of the route that a router chose: `http.route`, never the path itself. Thread: caller.

FastAPI and Starlette leave the route in the scope, with the prefixes of included routers in a context beside
it; FastAPI leaves the endpoint alone of routes that are Starlette's; a mount leaves the part of the path that
it took. What has to be searched for is remembered by endpoint and mount.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fapilog_instrumentation_fastapi.remembering import remember

# How the template of a mount ends.
_REST = "/{path}"


class Routes:
    """Finds templates, and remembers those that it had to search for."""

    __slots__ = ("_found", "_prefixes")

    def __init__(self) -> None:
        self._found: dict[tuple[int, str], tuple[Any, str | None]] = {}
        self._prefixes: dict[str, str] = {}

    def find(self, scope: MutableMapping[str, Any]) -> str | None:
        """Return the template of the route that was chosen; None where none was, or it cannot be told."""
        route = scope.get("route")
        if route is None:
            return self._searched(scope)
        template: str | None = _of_included_router(scope, route) or getattr(route, "path_format", None)
        if template is None:
            return None
        if template.endswith(_REST) and _is_mount(route):
            # Starlette names the mount; a router below that names nothing may have found more.
            return self._searched(scope)
        return self._prefix(scope) + template if scope.get("root_path") else template

    def _prefix(self, scope: MutableMapping[str, Any]) -> str:
        """The root of the application, as the conventions want it, and the templates of the mounts."""
        path: str = scope.get("root_path", "")
        root: str = scope.get("app_root_path", path)
        taken = path[len(root) :]
        return root + self._of_mounts(scope, taken) if taken else root

    def _of_mounts(self, scope: MutableMapping[str, Any], taken: str) -> str:
        known = self._prefixes.get(taken)
        if known is None:
            known = _mounts(scope.get("router"), taken)
            # Mounts with parameters take parts of paths, which come from outside.
            remember(self._prefixes, taken, known, len(taken))
        return known

    def _searched(self, scope: MutableMapping[str, Any]) -> str | None:
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return None
        prefix = self._prefix(scope) if scope.get("root_path") else ""
        # Some endpoints, such as routers, cannot be keys.
        key = (id(endpoint), prefix)
        known = self._found.get(key)
        if known is not None and known[0] is endpoint:
            return known[1]
        template = self._template(scope, endpoint, prefix)
        remember(self._found, key, (endpoint, template), len(prefix))
        return template

    def _template(self, scope: MutableMapping[str, Any], endpoint: Any, prefix: str) -> str | None:
        root = scope.get("app_root_path", prefix)
        found = [root + each for each in _templates(scope.get("router"), endpoint)]
        below = [each for each in found if each.startswith(prefix)]
        if found:
            # One function may serve several routes; which one it was cannot always be told.
            return below[0] if len(below) == 1 else None
        # A mounted application that is none of Starlette's, or that found no route.
        return prefix + _REST if "app_root_path" in scope else None


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
        own = route.path_format.removesuffix(_REST)
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
            found.extend(_templates(route, endpoint, prefix + route.path_format.removesuffix(_REST)))
        elif getattr(route, "endpoint", None) == endpoint:
            found.append(prefix + route.path_format)
    return list(dict.fromkeys(found))


def _is_mount(route: Any) -> bool:
    return hasattr(route, "path_regex") and hasattr(route, "routes") and not hasattr(route, "endpoint")
