"""Finds what models mark as sensitive (`fapilog.redaction.Sensitive`, `SecretStr`) in a request's raw values.

What did not pass validation is no model yet: a mapping as the caller sent it. So the kinds of the route's
parameters are walked beside it. Thread: caller.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self
from weakref import WeakKeyDictionary

from fapilog_instrumentation_fastapi.cleaning import MEMBERS_LIMIT, UNKNOWN, Cleaning
from fapilog_instrumentation_fastapi.kinds import (
    Kinds,
    aliases,
    any_marks,
    below,
    first_marker,
    is_union,
    marked_names,
    marker_of,
)

_DEEPEST = 16
# Kept on routes, which are made once.
_KEPT = "_fapilog_fields"


class Fields:
    """The kinds of the parameters of a route, and of what it answers.

    Args:
        route: Of FastAPI, or what it keeps of a route for an included router; any other one has no parameters
            that are known.

    Attributes:
        body: The kinds of the parameters in the body, by name.
        answers: The kinds of its response models.
        has_marks: Whether any parameter has a mark.
        answer_names: The names of marked parameters, and of marked fields of response models, with markers.
        answer_marker: Of a response model that is marked as a whole.
    """

    def __init__(self, route: Any) -> None:
        self._by_place: dict[str, dict[str, Kinds]] = {}
        self._read(getattr(route, "dependant", None), 0)
        self.body = self._by_place.get("body", {})
        self.answers = list(_answers(route))
        # A marked field is hidden by its name everywhere: callers put things in wrong places.
        self._names: dict[Any, str] = {}
        for known in self._by_place.values():
            self._names.update((name, found) for name, kinds in known.items() if (found := marker_of(kinds)))
            for kinds in known.values():
                self._names.update(marked_names(kinds))
        self._are_members = (
            len({id(each) for each in self.body.values()}) > 1
            or getattr(route, "_embed_body_fields", False) is True
        )
        self.has_marks = bool(self._names)
        self.answer_marker = first_marker(self.answers)
        self.answer_names = dict(self._names)
        for kinds in self.answers:
            self.answer_names.update(marked_names(kinds))

    @classmethod
    def named(cls, names: Mapping[Any, str]) -> Self:
        """Return fields of which only the names are known."""
        made = cls(None)
        made._names, made.answer_names = dict(names), dict(names)
        made.has_marks = bool(names)
        return made

    @property
    def names(self) -> Mapping[Any, str]:
        """The names of marked parameters, and of marked fields of their models, with their markers."""
        return self._names

    def _read(self, dependant: Any, depth: int) -> None:
        if dependant is None or depth > _DEEPEST:
            return
        for place in ("body", "query", "path", "header", "cookie"):
            known = self._by_place.setdefault(place, {})
            for field in getattr(dependant, f"{place}_params", ()) or ():
                info = field.field_info
                kinds = (info.annotation, *info.metadata)
                known.update((str(name), kinds) for name in {field.alias, *aliases(info)} if name)
        for inner in getattr(dependant, "dependencies", ()) or ():
            self._read(inner, depth + 1)

    def hidden(
        self, steps: Sequence[Any], value: Any, members: int = MEMBERS_LIMIT
    ) -> tuple[str | None, Any]:
        """Return what stands for a value: twice the marker, or None and the value without marked parts.

        Args:
            steps: Where it stands: `("body", "card", "number")`.
            value: As the caller sent it.
            members: How many of its members are looked at; behind them nothing is shown.
        """
        if not self.has_marks:
            return None, value
        by_name = next((self._names[step] for step in steps[1:] if step in self._names), None)
        if by_name is not None or not steps:
            return by_name, by_name if by_name is not None else value
        cleaning = Cleaning(self._names, members)
        known = self._by_place.get(str(steps[0]), {})
        kinds = list(known.values())
        if len(steps) == 1:
            # One parameter is the body itself, unless it is embedded; several are its members.
            are_members = isinstance(value, Mapping) and self._are_members
            whole = None if are_members else first_marker(kinds)
            return whole, whole or cleaning.cleaned(value, [*kinds, known])
        found = [known[str(steps[1])]] if str(steps[1]) in known else []
        marker, inside = _walk(found, steps[2:])
        if marker is None:
            marker, deeper = _walk([each for each in kinds if not marker_of(each)], steps[1:])
            inside = [*inside, *deeper]
        if marker is None and not inside and any_marks(kinds):
            # Where the location leads nowhere, nobody can tell what the value is.
            marker = UNKNOWN
        return marker, marker or cleaning.cleaned(value, inside)


def of(scope: Mapping[str, Any]) -> Fields:
    """Return the fields of the route that a router chose, kept on it; of none where it chose none."""
    route = scope.get("route")
    inner = scope.get("fastapi")
    if inner is not None:
        # FastAPI 0.137 and newer keep the parameters of `include_router` beside the route.
        context = inner.get("effective_route_context")
        if context is not None and context.original_route is route and context.dependant is not None:
            route = context
    fields: Fields | None = getattr(route, _KEPT, None)
    return _read(route) if fields is None else fields


def _read(route: Any) -> Fields:
    if not hasattr(route, "dependant"):
        return NO_FIELDS
    fields = Fields(route)
    setattr(route, _KEPT, fields)
    return fields


_of_applications: WeakKeyDictionary[Any, tuple[int, Fields]] = WeakKeyDictionary()


def of_all(app: Any) -> Fields:
    """Return the names that any route of an application marks: for requests that no route was chosen for.

    Args:
        app: Of FastAPI or Starlette; what has no routes marks nothing.
    """
    routes = getattr(app, "routes", None) or ()
    if not routes:
        return NO_FIELDS
    known = _of_applications.get(app)
    if known is None or known[0] != len(routes):
        names: dict[Any, str] = {}
        for each in _every_route(routes, 0):
            names.update(Fields(each).answer_names)
        known = _of_applications[app] = (len(routes), Fields.named(names))
    return known[1]


def _every_route(routes: Iterable[Any], depth: int) -> Iterator[Any]:
    """Routes, also of included routers and of mounted applications."""
    for route in routes if depth <= _DEEPEST else ():
        contexts = getattr(route, "effective_route_contexts", None)
        if contexts is not None:
            yield from contexts()
        elif hasattr(route, "dependant"):
            yield route
        else:
            yield from _every_route(getattr(route, "routes", None) or (), depth + 1)


def _answers(route: Any) -> Iterator[Kinds]:
    """The kinds of the response models of a route: of each status that has one, and of parts of streams."""
    fields = getattr(route, "response_fields", None) or {}
    for field in (
        getattr(route, "response_field", None), getattr(route, "stream_item_field", None), *fields.values()
    ):  # fmt: skip
        info = getattr(field, "field_info", None)
        if info is not None:
            yield (info.annotation, *info.metadata)


def _walk(kinds: list[Kinds], steps: Iterable[Any]) -> tuple[str | None, list[Any]]:
    """Follow steps through types; a marker on the way, or the kinds at the end."""
    for step in steps:
        if (marker := first_marker(kinds)) is not None:
            return marker, []
        kinds = [inner for each in kinds for inner in below(each, step)] or [
            each for each in kinds if not isinstance(step, int) and is_union(each)
        ]
    return first_marker(kinds), list(kinds)


NO_FIELDS = Fields(None)
