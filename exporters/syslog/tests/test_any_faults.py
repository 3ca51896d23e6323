"""Whatever becomes of connections, in whatever order: every record arrives, and repeats are counted."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.syslog.tests.records import numbered, numbers, quick, settle
from fapilog_exporter_syslog import exporter as exporter_module
from fapilog_exporter_syslog.link import LinkClosedError
from tests.servers.rfc5424 import parse, split


@dataclass(frozen=True)
class Step:
    """What becomes of one call of `send`, or of the attempt to connect before it.

    Attributes:
        how: `refused`: no connection. `lost`: an error after some messages. `late`: the connection is closed
            after all were handed over. `slow`: time is up after some. `fine`: nothing happens.
        handed: Messages that the kernel takes before that.
        taken: Of these the server reads so many.
    """

    how: str
    handed: int
    taken: int


@dataclass
class Script:
    """Links that do what is written, then what they ought to."""

    steps: list[Step]
    arrived: list[bytes] = field(default_factory=list)

    def open(self, *_):
        if self.steps and self.steps[0].how == "refused":
            self.steps.pop(0)
            raise ConnectionRefusedError(111, "Connection refused")
        return ScriptedLink(self)


class ScriptedLink:
    def __init__(self, script):
        self.script, self.closed = script, False

    def send(self, frames, until, sending):
        if self.closed:
            raise LinkClosedError("closed")
        steps = self.script.steps
        step = steps.pop(0) if steps and steps[0].how != "refused" else Step("fine", 0, 0)
        # One message at least is handed over in time.
        whole = step.how in ("fine", "late")
        sending.handed = len(frames) if whole else min(len(frames), step.handed or (step.how == "slow"))
        lossless = step.how in ("fine", "slow")
        self.script.arrived += frames[: sending.handed if lossless else min(step.taken, sending.handed)]
        self.closed = not lossless
        if step.how == "lost":
            raise ConnectionResetError(104, "Connection reset by peer")

    def closed_by_server(self):
        return self.closed

    def unacknowledged_bytes(self, mark):
        return 0

    def reason(self):
        return "the server has closed the connection"

    def give_up(self, why):
        self.closed = True


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["refused", "lost", "late", "slow", "fine"]),
        st.integers(0, 12),
        st.integers(0, 12),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), STEPS)
def test_every_record_arrives_and_repeats_are_counted(sizes, steps):
    script = Script(list(steps))
    exporter = quick("tcp://127.0.0.1:9", settle_millis=0)

    async def all_of_them():
        batches = [numbered(size, 100 * place) for place, size in enumerate(sizes)]
        return await asyncio.gather(*(settle(exporter, batch, 200) for batch in batches))

    with patch.object(exporter_module.Link, "open", script.open):
        outcomes = asyncio.run(all_of_them())
    assert [outcome.delivered for outcome in outcomes] == sizes
    messages, rest = split(b"".join(script.arrived))
    found: Counter[int] = numbers(map(parse, messages))
    assert rest == b""
    assert set(found) == {100 * place + number for place, size in enumerate(sizes) for number in range(size)}
    said = exporter.statistics
    assert found.total() - len(found) <= said.resent
    assert said.delivered == sum(sizes)
    assert not said.dropped
