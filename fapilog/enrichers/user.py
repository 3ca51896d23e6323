"""Built-in enricher `user`: on whose behalf the program acts (`user.*`), and who runs it (`process.owner`).

`user.*` come from a context variable, on each record; the owner is an attribute of the resource. Names are
those of the semantic conventions. They are personal data: bind what you may store.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from fapilog.context import Binding
from fapilog.enrichers.base import Source
from fapilog.settings import Settings

_user: ContextVar[Mapping[str, Any] | None] = ContextVar("fapilog_user", default=None)


class bind_user(Binding[Mapping[str, Any] | None]):  # noqa: N801 - used as a function
    """Say on whose behalf everything inside acts, in this task or thread and in copies of its context.

    Records carry it where the enricher `user` is on. An inner `bind_user` takes the place of an outer one as
    a whole. Works with `with` and `async with`.

    Args:
        id: `user.id`.
        name: `user.name`, the name to log in with.
        email: `user.email`.
        full_name: `user.full_name`.
        hash: `user.hash`, to tell users apart without naming them.
        roles: `user.roles`.

    Example:
        >>> with bind_user(id="u-7", roles=["admin"]):
        ...     current_user()
        {'user.id': 'u-7', 'user.roles': ('admin',)}
    """

    __slots__ = ("_attributes",)

    def __init__(  # noqa: PLR0913 - the attributes that there are
        self,
        id: object = None,  # noqa: A002 - the attribute is called so
        *,
        name: str | None = None,
        email: str | None = None,
        full_name: str | None = None,
        hash: str | None = None,  # noqa: A002
        roles: Sequence[str] = (),
    ) -> None:
        super().__init__(_user)
        given = {"id": id, "name": name, "email": email, "full_name": full_name, "hash": hash}
        self._attributes = {f"user.{key}": value for key, value in given.items() if value is not None}
        if roles:
            self._attributes["user.roles"] = tuple(roles)

    def __enter__(self) -> None:
        self._tokens.append(_user.set(self._attributes))


def source(_settings: Settings) -> Source:
    """Make the enricher."""
    return Source("user", describe=owner, ask=current_user)


def current_user() -> Mapping[str, Any] | None:
    """Return what `bind_user` binds here, as attributes; None outside of any."""
    return _user.get()


def owner() -> dict[str, str]:
    """Return the name of the user that the process belongs to; a user without a name has none."""
    with suppress(KeyError):
        return {"process.owner": pwd.getpwuid(os.geteuid()).pw_name}
    return {}
