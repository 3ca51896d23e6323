"""What a delivery report says about one message: a pure function from librdkafka's error to its fate.

An error that is not known here never drops a record: it comes again. Threads: delivery loop, the poller.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from confluent_kafka import KafkaError

from fapilog.exporters.http import shown

TOO_LARGE = "message_too_large"
# The broker says that this message, or one like it, will never be taken.
_NEVER = frozenset({
    "INVALID_RECORD",
    "INVALID_REQUIRED_ACKS",
    "INVALID_TIMESTAMP",
    "POLICY_VIOLATION",
    "TOPIC_EXCEPTION",
    "UNSUPPORTED_COMPRESSION_TYPE",
    "UNSUPPORTED_FOR_MESSAGE_FORMAT",
    "_INVALID_ARG",
})  # fmt: skip
_SIZES = frozenset({"MSG_SIZE_TOO_LARGE", "RECORD_LIST_TOO_LARGE", "INVALID_MSG_SIZE"})
# After these nothing of the message is in the log: it was never sent, or refused before it was appended.
_NOTHING_WRITTEN = frozenset({
    "CLUSTER_AUTHORIZATION_FAILED",
    "NOT_ENOUGH_REPLICAS",
    "NOT_LEADER_FOR_PARTITION",
    "TOPIC_AUTHORIZATION_FAILED",
    "UNKNOWN_TOPIC_OR_PART",
    "_AUTHENTICATION",
    "_PURGE_QUEUE",
    "_QUEUE_FULL",
    "_UNKNOWN_PARTITION",
    "_UNKNOWN_TOPIC",
})  # fmt: skip
_HINTS = {
    "CLUSTER_AUTHORIZATION_FAILED": "allow the user IdempotentWrite on the cluster, or Write on the topic",
    "NOT_ENOUGH_REPLICAS": "fewer replicas are in sync than min.insync.replicas asks for",
    "SASL_AUTHENTICATION_FAILED": "check oauth_token, or sasl_mechanism, username and password",
    "TOPIC_AUTHORIZATION_FAILED": "allow the user Write and Describe on the topic",
    "UNKNOWN_TOPIC_OR_PART": "create the topic",
    "_ALL_BROKERS_DOWN": "check the addresses of the brokers",
    "_AUTHENTICATION": "check sasl_mechanism, username and password",
    "_RESOLVE": "check the addresses of the brokers",
    "_SSL": "check tls and the certificates",
    "_UNKNOWN_TOPIC": "create the topic",
    "MSG_SIZE_TOO_LARGE": "lower max_message_bytes, or raise the topic's max.message.bytes",
}


class Fate(Enum):
    """What becomes of one message."""

    TAKEN = "it is written, on all replicas in sync"
    LATER = "it comes again"
    TOO_LARGE = "halves may be taken"
    REFUSED = "never"


@dataclass(frozen=True)
class Report:
    """What librdkafka reported.

    Attributes:
        fate: What becomes of the message.
        reason: One word: what dropped records are counted by, and `error.type`.
        cause: For people; never a secret.
        uncertain: Whether the message may be written all the same.
        fatal: The producer can send nothing more: a new one must.
    """

    fate: Fate
    reason: str = ""
    cause: str = ""
    uncertain: bool = False
    fatal: bool = False


TAKEN = Report(Fate.TAKEN)


def read(error: KafkaError | None, hide: Callable[[str], str] = str) -> Report:
    """Read a report, or an error of a producer.

    Args:
        error: Of librdkafka; None: the message was delivered.
        hide: Hides secrets in a text that is shown.

    Example:
        >>> report = read(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
        >>> report.fate.name, report.reason, report.uncertain
        ('LATER', 'TOPIC_AUTHORIZATION_FAILED', False)
    """
    if error is None:
        return TAKEN
    name = error.name()
    text = shown(hide(error.str()))
    cause = f"{name}: {text}" if text else name
    if name in _HINTS:
        cause = f"{cause} ({_HINTS[name]})"
    if name in _SIZES:
        return Report(Fate.TOO_LARGE, TOO_LARGE, cause)
    if name in _NEVER:
        return Report(Fate.REFUSED, name, cause)
    return Report(Fate.LATER, name, cause, name not in _NOTHING_WRITTEN, bool(error.fatal()))
