"""What each destination can go through, and what a record then comes to: the table of `guarantees.md`.

The page `docs/reference/guarantees.md` is compared with it, and every cell of it is a test.
"""

from dataclasses import dataclass
from enum import Enum

FAULTS = {
    "reset_before": "the connection breaks before the server has read anything",
    "reset_after": "the server takes a request, and the connection breaks before its answer",
    "timeout": "the server takes a request, and answers too late",
    "throttled": "429 with `Retry-After`",
    "unavailable": "503; of Kafka `TOPIC_AUTHORIZATION_FAILED`",
    "slow": "the server is slow",
    "away": "the server goes away and comes back",
    "half_refused": "the server refuses every second record for good",
    "killed": "the process is killed (`kill -9`), with a spool at level `process`",
}


class Repeats(Enum):
    """What comes twice, and how it is known. In every cell nothing is lost."""

    NONE = "none"
    REFUSED = "the server refuses them: 409, `statistics.duplicates`"
    COUNTED = "`statistics.resent`"
    RECOGNISABLE = "`log.record.uid`"


@dataclass(frozen=True)
class Absent:
    """The protocol knows nothing of the kind."""

    why: str


Cell = Repeats | Absent

NO_ANSWERS = Absent("it has no answers")
SLOWS_DOWN = Absent("over a quota it only answers later")
BATCH_ALONE = Absent("it answers for a whole batch")

TABLE: dict[str, dict[str, Cell]] = {
    "otlp": {
        "reset_before": Repeats.NONE,
        "reset_after": Repeats.RECOGNISABLE,
        "timeout": Repeats.RECOGNISABLE,
        "throttled": Repeats.NONE,
        "unavailable": Repeats.NONE,
        "slow": Repeats.NONE,
        "away": Repeats.NONE,
        "half_refused": Repeats.NONE,
        "killed": Repeats.RECOGNISABLE,
    },
    "webhook": {
        "reset_before": Repeats.NONE,
        "reset_after": Repeats.RECOGNISABLE,
        "timeout": Repeats.RECOGNISABLE,
        "throttled": Repeats.NONE,
        "unavailable": Repeats.NONE,
        "slow": Repeats.NONE,
        "away": Repeats.NONE,
        "half_refused": BATCH_ALONE,
        "killed": Repeats.RECOGNISABLE,
    },
    "splunk_hec": {
        "reset_before": Repeats.NONE,
        "reset_after": Repeats.COUNTED,
        "timeout": Repeats.COUNTED,
        "throttled": Repeats.NONE,
        "unavailable": Repeats.NONE,
        "slow": Repeats.NONE,
        "away": Repeats.NONE,
        "half_refused": Repeats.NONE,
        "killed": Repeats.RECOGNISABLE,
    },
    "elasticsearch": {
        "reset_before": Repeats.NONE,
        "reset_after": Repeats.REFUSED,
        "timeout": Repeats.REFUSED,
        "throttled": Repeats.NONE,
        "unavailable": Repeats.NONE,
        "slow": Repeats.NONE,
        "away": Repeats.NONE,
        "half_refused": Repeats.NONE,
        "killed": Repeats.REFUSED,
    },
    "syslog": {
        "reset_before": Repeats.NONE,
        "reset_after": Repeats.COUNTED,
        "timeout": Repeats.COUNTED,
        "throttled": NO_ANSWERS,
        "unavailable": NO_ANSWERS,
        "slow": Repeats.NONE,
        "away": Repeats.NONE,
        "half_refused": NO_ANSWERS,
        "killed": Repeats.RECOGNISABLE,
    },
    "kafka": {
        "reset_before": Repeats.NONE,
        "reset_after": Repeats.NONE,
        "timeout": Repeats.NONE,
        "throttled": SLOWS_DOWN,
        "unavailable": Repeats.NONE,
        "slow": Repeats.NONE,
        "away": Repeats.NONE,
        "half_refused": Repeats.NONE,
        "killed": Repeats.RECOGNISABLE,
    },
}

CELLS = [
    (destination, fault)
    for destination, row in TABLE.items()
    for fault, cell in row.items()
    if not isinstance(cell, Absent) and fault != "killed"
]
