"""What counts as delivered, what is sent again and counted, and what a connection lives through."""

import asyncio
import os
import socket
import threading

from exporters.syslog.tests.records import batch_of, numbered, numbers, quick, settle
from fapilog_exporter_syslog import SyslogExporter
from fapilog_exporter_syslog import exporter as exporter_module
from tests.servers.ports import free_ports
from tests.servers.syslog import Fault, SyslogServer

# Until then a reset by a server whose thread waits for its turn is noticed.
PATIENT_MILLIS = 1_000


def run(*coroutines):
    async def all_of_them():
        return await asyncio.gather(*coroutines)

    return asyncio.run(all_of_them())


def stands(exporter):
    said = exporter.statistics
    return said.connections, said.delivered, said.resent, dict(said.dropped)


def test_batches_go_over_one_connection_in_order(server):
    exporter = quick(server.endpoint)

    async def several():
        for first in (0, 10, 20):
            assert (await exporter.export_batch(numbered(10, first))).delivered == 10

    asyncio.run(several())
    server.wait_until(lambda it: len(it.messages) == 30)
    assert [int(each.element("attributes")["number"]) for each in server.messages] == list(range(30))
    assert stands(exporter) == (1, 30, 0, {})
    assert server.violations == []


def test_batches_at_once_are_never_mixed_up(server):
    exporter = quick(server.endpoint)
    outcomes = run(*(exporter.export_batch(numbered(50, 50 * place, padding=2_000)) for place in range(12)))
    assert [outcome.delivered for outcome in outcomes] == [50] * 12
    server.wait_until(lambda it: len(it.messages) == 600)
    assert numbers(server.messages).total() == len(numbers(server.messages)) == 600
    assert server.violations == []


def test_nobody_listens_and_nothing_counts_as_sent_again():
    exporter = quick(f"tcp://127.0.0.1:{free_ports(1)[0]}")
    (outcome,) = run(exporter.export_batch(numbered(3)))
    assert (outcome.delivered, outcome.retry, outcome.error_type) == (0, True, "ConnectionRefusedError")
    assert stands(exporter) == (0, 0, 0, {})


def test_batches_that_waited_for_an_attempt_share_its_failure(monkeypatch):
    exporter = quick("tcp://127.0.0.1:9", max_in_flight=4)
    attempts, begin = [], threading.Event()

    def refuse(settings, context):
        begin.wait(5)
        attempts.append(settings.endpoint)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(exporter_module.Link, "open", refuse)

    async def all_of_them():
        tasks = [asyncio.ensure_future(exporter.export_batch(numbered(1))) for _ in range(4)]
        while exporter._loop is None or not exporter._turn.locked():
            await asyncio.sleep(0.01)
        begin.set()
        return await asyncio.gather(*tasks)

    outcomes = asyncio.run(all_of_them())
    assert {outcome.error_type for outcome in outcomes} == {"ConnectionRefusedError"}
    assert len(attempts) == 1


def test_a_reset_before_anything_was_read_loses_nothing(server):
    server.faults.append(Fault(take=0))
    exporter = quick(server.endpoint, settle_millis=PATIENT_MILLIS)
    (outcome,) = run(settle(exporter, numbered(20)))
    assert (outcome.delivered, outcome.rejected) == (20, 0)
    server.wait_until(lambda it: len(it.messages) == 20)
    assert set(numbers(server.messages).values()) == {1}
    # Nobody can know that they had not arrived.
    assert stands(exporter) == (2, 20, 20, {})


def test_a_reset_after_some_were_taken_repeats_them_and_counts_them(server):
    server.faults.append(Fault(take=7))
    exporter = quick(server.endpoint, settle_millis=PATIENT_MILLIS)
    (outcome,) = run(settle(exporter, numbered(20)))
    assert outcome.delivered == 20
    server.wait_until(lambda it: len(it.messages) == 27)
    found = numbers(server.messages)
    assert (set(found), found.total() - len(found)) == (set(range(20)), 7)
    assert stands(exporter) == (2, 20, 20, {})


def test_a_server_that_has_half_closed_is_noticed_before_a_write(server):
    exporter = quick(server.endpoint)

    async def two():
        first = await exporter.export_batch(numbered(5))
        server.half_close()
        second = await exporter.export_batch(numbered(5, 5))
        return first.delivered, second.delivered

    assert asyncio.run(two()) == (5, 5)
    server.wait_until(lambda it: len(it.messages) == 10)
    assert stands(exporter) == (2, 10, 0, {})


def test_an_idle_connection_that_the_server_closed_costs_nothing(server):
    exporter = quick(server.endpoint)

    async def two():
        await exporter.export_batch(numbered(5))
        server.stop()
        server.start()
        return await settle(exporter, numbered(5, 5))

    assert asyncio.run(two()).delivered == 5
    server.wait_until(lambda it: len(it.messages) == 10)
    assert stands(exporter) == (2, 10, 0, {})


def test_a_server_that_reads_nothing_is_given_up_after_the_timeout_and_everything_sent_again():
    with SyslogServer(receive_bytes=4_096) as server:
        server.faults.append(Fault(take=0, end="stall"))
        exporter = quick(server.endpoint, timeout_millis=300)
        batch = numbered(300, padding=3_000)
        (first,) = run(exporter.export_batch(batch))
        assert (first.delivered, first.retry, first.error_type) == (0, True, "timeout")
        server.release.set()
        exporter.settings = exporter.settings.model_copy(update={"timeout_millis": 20_000})
        (outcome,) = run(settle(exporter, batch))
        assert outcome.delivered == 300
        server.wait_until(lambda it: len(it.messages) == 300)
        assert server.violations == []


def test_a_server_that_acknowledges_slowly_is_waited_for(server, monkeypatch):
    exporter = quick(server.endpoint, timeout_millis=100)
    left = list(range(25))
    monkeypatch.setattr(exporter_module.Link, "unacknowledged_bytes", lambda self, mark: left.pop())
    (outcome,) = run(exporter.export_batch(numbered(5)))
    assert (outcome.delivered, left) == (5, [])
    assert stands(exporter) == (1, 5, 0, {})


def test_what_the_servers_machine_never_acknowledges_is_not_delivered(server, monkeypatch):
    exporter = quick(server.endpoint, timeout_millis=200)
    with monkeypatch.context() as patched:
        patched.setattr(exporter_module.Link, "unacknowledged_bytes", lambda self, mark: 17)
        (outcome,) = run(exporter.export_batch(numbered(5)))
    assert (outcome.delivered, outcome.error_type) == (0, "timeout")
    assert "acknowledged nothing" in outcome.cause


def test_a_server_that_reads_slowly_gets_everything_once(monkeypatch):
    monkeypatch.setattr(exporter_module, "_CALL_SECONDS", 0.0)
    with SyslogServer() as server:
        exporter = quick(server.endpoint, settle_millis=0)
        batch = numbered(50, padding=4_000)
        (first,) = run(exporter.export_batch(batch))
        assert (first.retry, first.error_type, first.cause) == (
            True,
            "slow",
            "the server takes messages slowly",
        )
        assert 0 < first.delivered < 50
        (rest,) = run(settle(exporter, batch))
        assert first.delivered + rest.delivered == 50
        server.wait_until(lambda it: len(it.messages) == 50)
        assert stands(exporter) == (1, 50, 0, {})


def test_records_that_are_too_large_are_rejected_once_and_named(server):
    batch = batch_of({"body": "x" * 3_000}, {"body": "short"})
    exporter = quick(server.endpoint, max_message_bytes=1_024, oversized="drop", settle_millis=PATIENT_MILLIS)
    server.faults.append(Fault(take=0))
    (first,) = run(exporter.export_batch(batch))
    assert (first.delivered, first.rejected, first.retry) == (0, 1, True)
    assert "1 message_too_large" in first.cause
    (second,) = run(exporter.export_batch(batch))
    assert (second.delivered, second.rejected, second.retry) == (1, 0, False)
    assert exporter.statistics.dropped == {"message_too_large": 1}


def test_a_batch_without_any_message_needs_no_connection():
    exporter = quick("tcp://127.0.0.1:9", max_message_bytes=1_024, oversized="drop")
    (outcome,) = run(exporter.export_batch(batch_of({"body": "x" * 3_000})))
    assert (outcome.delivered, outcome.rejected, outcome.retry) == (0, 1, False)


def test_a_call_that_is_cancelled_in_the_middle_of_a_message_leaves_no_half_of_it():
    with SyslogServer(receive_bytes=4_096) as server:
        server.faults.append(Fault(take=0, end="stall"))
        exporter = quick(server.endpoint)
        batch = numbered(300, padding=3_000)

        async def cancel():
            task = asyncio.ensure_future(exporter.export_batch(batch))
            while exporter._link is None:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
            server.release.set()
            return await settle(exporter, batch)

        assert asyncio.run(cancel()).delivered == 300
        server.wait_until(lambda it: len(it.messages) == 300)
        assert server.violations == []


def test_shutdown_waits_until_the_server_has_read_everything_and_takes_nothing_more(server):
    exporter = quick(server.endpoint)

    async def end():
        await exporter.export_batch(numbered(5))
        await exporter.shutdown(2_000)
        await exporter.shutdown(2_000)
        return await exporter.export_batch(numbered(5))

    late = asyncio.run(end())
    assert (late.delivered, late.retry) == (0, True)
    assert len(server.messages) == 5
    exporter.close()


def test_shutdown_keeps_its_time_although_the_server_does_not_close():
    with SyslogServer() as server:
        server.faults.append(Fault(take=5, end="stall"))
        exporter = quick(server.endpoint, settle_millis=0)

        async def end():
            await exporter.export_batch(numbered(5))
            await asyncio.wait_for(exporter.shutdown(50), 10)

        asyncio.run(end())
        assert len(server.messages) == 5


def test_a_forked_child_opens_a_connection_of_its_own(server):
    exporter = quick(server.endpoint)
    asyncio.run(exporter.export_batch(numbered(5)))
    child = os.fork()
    if child == 0:
        outcome = asyncio.run(exporter.export_batch(numbered(5, 100)))
        os._exit(0 if outcome.delivered == 5 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(exporter.export_batch(numbered(5, 5))).delivered == 5
    server.wait_until(lambda it: len(it.messages) == 15)
    assert server.connections == 2
    assert stands(exporter) == (1, 10, 0, {})
    assert server.violations == []


def test_a_name_that_does_not_exist_is_an_outcome(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    (outcome,) = run(SyslogExporter(endpoint="tcp://syslog.example").export_batch(numbered(1)))
    assert (outcome.retry, outcome.error_type) == (True, "gaierror")
