"""What every mode promises, `keys` too: secret key names, `SecretStr`, credentials in URLs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pydantic import SecretStr

from fapilog.controls.clauses import KEY
from fapilog.controls.log_carriers import Bench
from fapilog.controls.vectors import Vector
from fapilog.redaction.policy import default_policy
from fapilog.redaction.redactor import Redactor
from fapilog.settings.redaction import RedactionSettings

SECRET_STR = "SecretStr"  # noqa: S105  # nosec B105 - the name of a type
URL_CREDENTIALS = "URL_USERINFO"
# The built-in words in other spellings, and at the places where they still count.
_SPELLINGS = ("API-Key", "X-Auth-Token", "clientSecret", "db_password", "old_password_hash", "Set-Cookie")
_MARKED = Vector(SECRET_STR, "contr0l-secret-str", "note", "contr0l-secret-str", "")


def types_of(policy: RedactionSettings) -> frozenset[str]:
    """Return the types that a policy hides in every mode, built-in and given names of keys among them.

    Example:
        >>> "key:password" in types_of(RedactionSettings()), "PAN" in types_of(RedactionSettings())
        (True, False)
    """
    return frozenset({SECRET_STR, URL_CREDENTIALS, *(f"{KEY}{name}" for name in names_of(policy)[0])})


def names_of(policy: RedactionSettings) -> tuple[list[str], list[str]]:
    """Return the names of secret keys that are tested, and those that a rule of the user lets through."""
    words, redactor = default_policy(policy.secret_keys), Redactor(policy)
    names = dict.fromkeys((*words.anywhere, *words.last, *_SPELLINGS, *words.exact))
    hidden = {name: redactor.text("x", name) != "x" for name in names}
    return [name for name in names if hidden[name]], [name for name in names if not hidden[name]]


def marked(types: frozenset[str]) -> list[Vector]:
    """Return the vectors that go into `CARRIERS`: values inside of `SecretStr`."""
    return [_MARKED] if SECRET_STR in types else []


def _attribute(bench: Bench, vector: Vector) -> bool:
    bench.log.info("control", **{vector.key: SecretStr(vector.field)})
    return True


def _nested(bench: Bench, vector: Vector) -> bool:
    bench.log.info("control", outer={"inner": [{vector.key: SecretStr(vector.field)}]})
    return True


def _body(bench: Bench, vector: Vector) -> bool:
    body: dict[str, object] = {"event": "control", vector.key: [SecretStr(vector.field)]}
    bench.api().emit(body=body)  # type: ignore[arg-type] # what an application may hand over
    return True


CARRIERS: Mapping[str, Callable[[Bench, Vector], bool]] = MappingProxyType(
    {
        "attribute.SecretStr": _attribute,
        "attribute.SecretStr.nested": _nested,
        "body.SecretStr": _body,
    }
)
