"""Settings of stage 3 for single destinations: what an exporter must not get although others may."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fapilog.errors import OffendingSetting, Problem
from fapilog.settings.card_rules import shortens_cards
from fapilog.settings.redaction_policy import check_policy
from fapilog.settings.types import FrozenDict, conflict

if TYPE_CHECKING:
    from fapilog.settings.redaction import DestinationPolicy, RedactionSettings

# Looked for only where it is named: a path of a home directory names a person only on machines of persons.
_ON_REQUEST = "USER_PATH"


def by_mode(value: object) -> object:
    """Read a mapping whose values may be a mode alone: `{"otlp": "scan"}`."""
    if isinstance(value, Mapping):
        return {name: {"mode": own} if isinstance(own, str) else own for name, own in value.items()}
    return value


def policy_for(common: RedactionSettings, name: str) -> RedactionSettings | None:
    """Return the whole policy of a destination: the common one, and what it removes besides.

    Args:
        common: The policy in force.
        name: Of the exporter.

    Returns:
        None: it has none of its own, and gets what is stored.

    Example:
        >>> from fapilog.settings import RedactionSettings
        >>> common = RedactionSettings(mode="scan", actions={"PAN": "mask:4"}, destinations={"siem": {}})
        >>> policy_for(common, "siem").actions, policy_for(common, "otlp")
        ({'PAN': 'mask:4'}, None)
    """
    own = common.destinations.get(name)
    return None if own is None else _merged(common, own)


def _merged(common: RedactionSettings, own: DestinationPolicy) -> RedactionSettings:
    changes: dict[str, Any] = {
        "mode": own.mode or common.mode,
        "secret_keys": tuple(dict.fromkeys((*common.secret_keys, *own.secret_keys))),
        "actions": FrozenDict({**common.actions, **own.actions}),
        # The first rule that fits decides; what a common one hides is hidden already.
        "rules": (*own.rules, *common.rules),
        "minimise": own.minimise or common.minimise,
        "allowed_keys": own.allowed_keys or common.allowed_keys,
        "destinations": FrozenDict(),
    }
    return common.model_copy(update=changes)


def check_together(common: RedactionSettings) -> None:
    """Refuse what several policies must not do to the same records: whoever has both outputs learns more.

    Args:
        common: The policy in force.

    Raises:
        ConfigurationError: `policy-forbidden`.
    """
    policies = {"redaction": common}
    for name, own in common.destinations.items():
        policies[f"exporter {name}"] = _merged(common, own)
    scanning = {place: policy.actions for place, policy in policies.items() if policy.mode == "scan"}
    # A rule works in every mode.
    shortened = {
        place: tuple(rule.name for rule in policy.rules if shortens_cards(rule))
        for place, policy in policies.items()
    }
    check_policy(scanning, shortened)


def check_only_more(common: RedactionSettings) -> None:
    """Refuse what a destination asks to keep: it never sees what the common policy hides.

    Raises:
        PydanticCustomError: `destination-keeps`.
    """
    for name, own in common.destinations.items():
        for what, do in _weaker(common, name, own):
            raise conflict("destination-keeps", what, do, destinations=name)


def refused(common: RedactionSettings, origin: str) -> Iterator[Problem]:
    """Yield what is refused under a policy that nobody wrote whole: profiles add to it.

    Args:
        common: The policy in force.
        origin: Where `redaction.destinations` comes from.
    """
    for name, own in common.destinations.items():
        for what, do in _weaker(common, name, own):
            remedy = do.format(destinations="redaction.destinations")
            setting = OffendingSetting("redaction.destinations", repr(name), origin, remedy)
            yield Problem("destination-keeps", what, (setting,), remedy)


def _weaker(common: RedactionSettings, name: str, own: DestinationPolicy) -> Iterator[tuple[str, str]]:
    """What is wrong, and what to do."""
    if common.mode == "scan" and own.mode == "keys":
        yield (
            f"the destination {name} has mode keys under the common mode scan: a destination may only remove"
            " more, and it gets what is stored, where values are hidden already",
            "leave mode out of {destinations}, or set redaction.mode (FAPILOG_REDACTION) to keys and the mode"
            " of the other destinations to scan",
        )
    for kind, written in own.actions.items():
        before = _common_action(common, kind)
        if before is not None and written not in ("remove", before):
            yield (
                f"the destination {name} has the action {written} for {kind}, which the common policy handles"
                f" with {before}: a destination may only remove more, and it never sees the value",
                f"set {kind} in {{destinations}} to remove or leave it out, or set redaction.actions"
                f" (FAPILOG_REDACTION_ACTIONS) to {kind}=keep and the action of each destination",
            )


def _common_action(common: RedactionSettings, kind: str) -> str | None:
    """What the common policy does with a type; None: it lets it through."""
    if common.mode != "scan" or (kind == _ON_REQUEST and kind not in common.actions):
        return None
    written = common.actions.get(kind, "remove")
    return None if written == "keep" else written
