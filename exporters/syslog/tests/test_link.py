"""What one connection knows of what was written over it."""

import time

import pytest

from exporters.syslog.tests.records import quick
from fapilog_exporter_syslog.link import Link, Sending, fcntl
from tests.servers.syslog import Fault, SyslogServer

WAIT_SECONDS = 30.0
BEHIND = [b"x" * 16_000] * 8


@pytest.mark.skipif(fcntl is None, reason="only some kernels say what was acknowledged")
def test_a_batch_waits_for_its_own_bytes_and_not_for_those_that_others_write_behind_it():
    with SyslogServer(receive_bytes=4_096) as server:
        server.faults.append(Fault(take=0, end="stall"))
        link = Link.open(quick(server.endpoint).settings, None)
        own, others = Sending(), Sending()
        until = time.monotonic() + WAIT_SECONDS
        link.send([b"14 <14>1 - - - -"], until, own)
        link.send(BEHIND, until, others)
        assert (own.handed, others.handed) == (1, len(BEHIND))
        while link.unacknowledged_bytes(own.mark):
            assert time.monotonic() < until
            time.sleep(0.005)
        assert link.unacknowledged_bytes(others.mark) > 0
        link.give_up("seen enough")
