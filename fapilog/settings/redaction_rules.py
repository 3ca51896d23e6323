"""User rules of stage 3: what a user knows is sensitive, or harmless, and no detector can know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from fapilog import _native
from fapilog.settings import types
from fapilog.settings.types import Group, Names, refuse

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_FORMS = "remove, mask:4, truncate:2:2, generalise, keep or drop"
_MASKED = 8
_TRUNCATED = 6
# Words of what a card's owner and its bank share (PCI DSS 3.3.1): no rule lets a key through that says them.
_NEVER_KEPT = re.compile(r"cvv|cvc|cvn|pin(block)?$|track[12]?$|trackdata", re.IGNORECASE)
_LARGEST_FILE_BYTES = 16 << 20

# Keys of OpenTelemetry's semantic conventions that say what the program does, and nothing about a person.
# With `minimise` they stay without being named.
BUILT_IN_KEYS = (
    "cloud.*",
    "code.*",
    "container.*",
    "db.collection.name",
    "db.namespace",
    "db.operation.*",
    "db.response.status_code",
    "db.system.*",
    "deployment.*",
    "error.type",
    "event.name",
    "exception.type",
    "faas.name",
    "faas.trigger",
    "faas.version",
    "feature_flag.key",
    "feature_flag.provider.name",
    "host.arch",
    "host.id",
    "host.name",
    "host.type",
    "http.request.body.size",
    "http.request.method",
    "http.request.resend_count",
    "http.response.body.size",
    "http.response.status_code",
    "http.route",
    "k8s.*",
    "log.iostream",
    "log.record.uid",
    "messaging.destination.name",
    "messaging.operation.*",
    "messaging.system",
    "network.protocol.*",
    "network.transport",
    "network.type",
    "os.*",
    "otel.*",
    "process.executable.name",
    "process.pid",
    "process.runtime.*",
    "rpc.grpc.status_code",
    "rpc.method",
    "rpc.service",
    "rpc.system",
    "server.port",
    "service.*",
    "telemetry.*",
    "thread.*",
    "url.path",
    "url.scheme",
    "url.template",
)


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise refuse(
            f"holds a rule with a name that no marker can carry: {value!r:.60}",
            "a rule with a name of small letters, digits, - and _, such as customer-number",
        )
    return value


def _action(written: str) -> str:
    name, *rest = written.strip().lower().split(":")
    numbers = [int(part) for part in rest if part.isdecimal() and len(part) < _MASKED]
    match name, numbers:
        case "remove" | "generalise" | "keep" | "drop", []:
            known = not rest
        case "mask", [last]:
            known = 0 < last <= _MASKED
        case "truncate", [first, last]:
            known = first <= _TRUNCATED and last <= _TRUNCATED and first + last > 0
        case _:
            known = False
    if not known or len(numbers) != len(rest):
        raise refuse(
            f"holds a rule with an action that does not exist: {written!r:.60}", f"a rule with {_FORMS}"
        )
    return ":".join((name, *map(str, numbers)))


class RedactionRule(Group):
    r"""One thing to hide, to keep or to drop records for: by path, by pattern or by words.

    Exactly one of `paths`, `pattern`, `words` and `words_file` is given.

    Attributes:
        name: Stands in the marker `[REDACTED:<name>]`, in `fapilog.redacted` and in findings.
        paths: Names of attributes and dotted paths, compared without case and separators like secret key
            names. `*` stands for any characters of one name, `**` for any number of names; a path covers all
            beneath it. What stands in the body begins with `body`. Members of a list have the list's path;
            `*` may also stand for the place in it.
        pattern: A regular expression of the Rust crate `regex`: no look-around, no backreferences, and time
            in proportion to the text.
        words: Words and phrases, found whole, in any case.
        words_file: A file with one of them a line; blank lines and lines with `#` in front do not count.
        case_sensitive: Whether case counts in `words` and `words_file`.
        action: `remove`; `mask:n` (the last n letters and digits stay, 1 to 8, a third of the value at most);
            `truncate:n:m` (the first n and the last m stay, up to 6 each, and five are hidden at least);
            `generalise` (the network of an address, the year of a date, one decimal of a place); `keep` (it
            stays, whatever a later rule or a type says); `drop` (the whole record is dropped and counted).
        even_secrets: With `keep` and whole key names in `paths`: these names are no secret key names.

    Example:
        >>> RedactionRule(name="ticket", pattern=r"TCK-\d{6}").compact()
        'ticket: pattern TCK-\\d{6} -> remove'
    """

    name: Annotated[str, AfterValidator(_name)]
    paths: Names = ()
    pattern: Annotated[str, StringConstraints(max_length=2_048)] | None = None
    words: Names = ()
    words_file: Path | None = None
    case_sensitive: types.Flag = False
    action: Annotated[str, AfterValidator(_action)] = "remove"
    even_secrets: types.Flag = False

    @model_validator(mode="after")
    def _is_about_one_thing(self) -> Self:
        given = [name for name in ("paths", "pattern", "words", "words_file") if getattr(self, name)]
        if len(given) != 1:
            what = f"says {' and '.join(given)}" if given else "does not say what it is about"
            raise refuse(
                f"holds a rule that {what}: {self.name}",
                "rules with one of paths, pattern, words and words_file",
            )
        if self.even_secrets:
            self._check_exempt()
        # One rule at a time, so that the message names the problem; names of rules meet in `checked`.
        _compile(self.native())
        return self

    def _check_exempt(self) -> None:
        if self.action != "keep" or not self.paths or any("*" in path for path in self.paths):
            raise refuse(
                f"holds a rule with even_secrets that is not for whole names: {self.name}",
                "a rule with even_secrets, action keep, and paths without wildcards",
            )
        for path in self.paths:
            if _NEVER_KEPT.search(re.sub(r"[^A-Za-z0-9.]", "", path)):
                raise refuse(
                    f"lets {path} through, which PCI DSS 3.3.1 forbids to store in any form",
                    "a rule for other names",
                )

    def compact(self) -> str:
        """The rule as one line."""
        about = {
            "paths": ",".join(self.paths),
            "pattern": self.pattern,
            "words": f"{len(self.words)}" if self.words else "",
            "words_file": str(self.words_file or ""),
        }
        said = " ".join(f"{what} {value}" for what, value in about.items() if value)
        secrets = " even_secrets" if self.even_secrets else ""
        return f"{self.name}: {said} -> {self.action}{secrets}"

    def native(self) -> tuple[str, str, list[str], str, list[int]]:
        """The rule as the native side takes it; reads the file of words."""
        name, *numbers = self.action.split(":")
        about, texts = "WORDS" if self.case_sensitive else "words", list(self.words)
        if self.paths:
            about, texts = "paths", list(self.paths)
            if self.even_secrets:  # wherever a key has such a name, as with names of secret keys
                texts += [f"**.{path}" for path in self.paths]
        elif self.pattern:
            about, texts = "pattern", [self.pattern]
        elif self.words_file:
            texts = list(_words_of(self.words_file, self.name))
        return self.name, about, texts, name, [int(number) for number in numbers]


def _words_of(path: Path, rule: str) -> tuple[str, ...]:
    hint = "a rule with the path of a text file in UTF-8, one word or phrase a line"
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise refuse(f"holds a rule whose file is larger than 16 MiB: {rule}, {path}", hint)
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise refuse(f"holds a rule whose file cannot be read: {rule}, {path} ({why})", hint) from None
    words = tuple(word for line in lines if (word := line.strip()) and not word.startswith("#"))
    if not words:
        raise refuse(f"holds a rule whose file has no words: {rule}, {path}", hint)
    return words


def _compile(*rules: tuple[str, str, list[str], str, list[int]], minimise: list[str] | None = None) -> None:
    wrong = _native.check_redaction_rules({"rules": list(rules), "minimise": minimise})
    if wrong is not None:
        name, what = wrong
        raise refuse(
            f"holds a rule that cannot be used: {name} {what}", "rules that can, or leave this one out"
        )


def _rules(value: object) -> object:
    """A mapping by name is a list too: that is how files are written most easily."""
    if isinstance(value, Mapping):
        return tuple(_named(name, given) for name, given in value.items())
    return value


def _named(name: object, given: object) -> object:
    return {"name": name, **given} if isinstance(given, Mapping) else given


def _checked(rules: tuple[RedactionRule, ...]) -> tuple[RedactionRule, ...]:
    names = [rule.name for rule in rules]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise refuse(f"holds two rules with one name: {twice}", "rules with different names")
    # Together: what one writes must not be what another one looks for.
    _compile(*(rule.native() for rule in rules))
    return rules


def _allowed(keys: tuple[str, ...]) -> tuple[str, ...]:
    wrong = _native.check_redaction_rules({"rules": [], "minimise": list(keys)})
    if wrong is not None:
        raise refuse(
            f"holds a name that {wrong[1]}: {wrong[0]!r:.60}", "names and paths such as order.*, user.id"
        )
    return keys


RedactionRules = Annotated[tuple[RedactionRule, ...], BeforeValidator(_rules), AfterValidator(_checked)]
AllowedKeys = Annotated[Names, AfterValidator(_allowed)]
RULES_FIELD: Any = Field(
    (),
    description="What you know is sensitive, or harmless: rules by path, pattern or words, each with a"
    " name and an action. The first rule that fits decides. In both modes.",
)
DETECTORS_FIELD: Any = Field(
    (),
    description="Rules that installed packages bring, by the names of plugins (`fapilog.detectors`). Your own"
    " rules decide first. In both modes.",
)
MINIMISE_FIELD: Any = Field(
    False,
    description="Attributes whose keys nobody allowed are left out and counted (`fapilog.dropped_keys`):"
    " those that are neither in `allowed_keys` nor among OpenTelemetry's keys without personal data. As an"
    " argument also `minimise=True` alone.",
)
ALLOWED_KEYS_FIELD: Any = Field(
    (), description="For `minimise`: keys and paths that stay, with wildcards: `order.*`, `user.id`."
)


def native_rules(
    rules: tuple[RedactionRule, ...], minimise: bool, allowed_keys: tuple[str, ...]
) -> dict[str, object]:
    """Return the keys of the native policy that hold the rules.

    Example:
        >>> native_rules((), False, ())
        {'rules': [], 'minimise': None, 'exempt': []}
    """
    return {
        "rules": [rule.native() for rule in rules],
        "minimise": [*BUILT_IN_KEYS, *allowed_keys] if minimise else None,
        "exempt": [path for rule in rules if rule.even_secrets for path in rule.paths],
    }
