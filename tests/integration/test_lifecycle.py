"""Every way for a process to fork and to end: what was accepted is delivered once, and nothing hangs."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from fapilog.testing import Hold, OtlpReceiver
from tests.integration.harness import PROGRAMS, bodies, environment, finish, run, start
from tests.servers.ports import free_ports

IN_TIME_SECONDS = 10.0


def started(name: str, receiver: OtlpReceiver, *arguments: str) -> Any:
    """A program that has said "ready"."""
    process = start(name, receiver.logs_endpoint, *arguments)
    assert process.stdout.readline() == "ready\n"
    return process


# Ends


@pytest.mark.parametrize(
    ("way", "status"),
    [("end_by_return", 0), ("end_by_sys_exit", 3), ("end_by_shutdown", 0)],
)
def test_the_usual_ends_deliver(receiver: OtlpReceiver, way: str, status: int) -> None:
    ended = run("ends.py", receiver.logs_endpoint, way)
    assert (ended.returncode, ended.stderr) == (status, "")
    assert bodies(receiver) == ["last words"]


def test_a_record_of_an_object_deleted_at_teardown_is_delivered(receiver: OtlpReceiver) -> None:
    ended = run("ends.py", receiver.logs_endpoint, "end_with_an_object_that_logs_when_deleted")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert bodies(receiver) == ["last words", "deleted"]


def test_a_daemon_thread_that_logs_to_the_end_leaves_no_gap(receiver: OtlpReceiver) -> None:
    ended = run("ends.py", receiver.logs_endpoint, "end_with_a_daemon_thread")
    assert (ended.returncode, ended.stderr) == (0, "")
    numbers = [
        number for number in (r.attributes.get("number") for r in receiver.log_records) if number is not None
    ]
    assert len(numbers) >= 1
    assert sorted(numbers) == list(range(len(numbers)))


def test_sigterm_that_nobody_handles_delivers_and_ends_the_process_by_the_signal(
    receiver: OtlpReceiver,
) -> None:
    process = started("ends.py", receiver, "end_by_signal")
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.returncode, ended.stderr) == (-signal.SIGTERM, "")
    assert bodies(receiver) == ["last words"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_sigterm_that_the_application_handles_stays_with_it(receiver: OtlpReceiver, when: str) -> None:
    process = started("own_handler.py", receiver, when)
    process.send_signal(signal.SIGTERM)
    ended = finish(process)
    assert (ended.returncode, ended.stderr) == (5, "")
    assert bodies(receiver) == ["handled by the application"]


def test_sigint_delivers(receiver: OtlpReceiver) -> None:
    process = started("ends.py", receiver, "end_by_signal")
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt")
    assert bodies(receiver) == ["last words"]


def test_os_exit_loses_what_was_not_sent_and_hangs_nowhere(receiver: OtlpReceiver) -> None:
    ended = run("ends.py", receiver.logs_endpoint, "end_by_os_exit")
    assert (ended.returncode, ended.stderr, receiver.requests) == (4, "", [])


@pytest.mark.parametrize("state", ["refuses connections", "holds its answer"])
@pytest.mark.parametrize("way", ["end_by_return", "end_by_signal"])
def test_a_dead_endpoint_delays_the_end_by_the_shutdown_timeout_and_the_loss_is_said(
    receiver: OtlpReceiver, way: str, state: str
) -> None:
    if state == "refuses connections":
        receiver.refuse_connections()
    else:
        receiver.answer_always_with(Hold(threading.Event()))
    if way == "end_by_signal":
        process = started("ends.py", receiver, way)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
    else:
        began = time.monotonic()
        process = start("ends.py", receiver.logs_endpoint, way)
    ended = finish(process)
    took = time.monotonic() - began
    assert ended.returncode == (-signal.SIGTERM if way == "end_by_signal" else 0)
    # The limit is a second; a busy machine needs some for the rest.
    assert took < 1.0 + 10.0
    loss = "fapilog: 1 records were not delivered before the process ended."
    assert [line.removesuffix(" [records-lost]") for line in ended.stderr.splitlines()][-1] == loss
    assert ended.stderr.count("not delivered") == 1


@pytest.mark.parametrize("how", ["flush", "shutdown", "exit"])
@pytest.mark.parametrize("state", ["refuses connections", "holds its answer"])
def test_stock_exporters_without_an_answer_do_not_stretch_the_time(
    receiver: OtlpReceiver, how: str, state: str
) -> None:
    if state == "refuses connections":
        receiver.refuse_connections()
    else:
        receiver.answer_always_with(Hold(threading.Event()))
    began = time.monotonic()
    ended = run("stock.py", receiver.logs_endpoint, how, **all_signals(receiver))
    took = time.monotonic() - began
    answer, seconds = ended.stdout.split()
    assert (ended.returncode, answer) == (0, "None" if how == "exit" else "False")
    # One limit for the call, one for the end of the process, and time for a busy machine; alone, the stock
    # exporters try for a minute.
    assert (float(seconds) < 1.5, took < 2 * 0.5 + 1.0 + 10.0) == (True, True)
    assert "fapilog: spans or metrics were not delivered " in ended.stderr


@pytest.mark.parametrize("how", ["flush", "shutdown", "exit"])
def test_spans_and_metrics_are_delivered_with_the_records(receiver: OtlpReceiver, how: str) -> None:
    ended = run("stock.py", receiver.logs_endpoint, how, **all_signals(receiver))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split()[0] == ("None" if how == "exit" else "True")
    assert {request.path for request in receiver.requests} == {"/v1/logs", "/v1/traces", "/v1/metrics"}
    assert bodies(receiver) == ["order"]


def all_signals(receiver: OtlpReceiver) -> dict[str, str]:
    """Variables that send spans and metrics to the receiver too."""
    return {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
    }


def test_dev_mode_finds_nothing_to_warn_of(receiver: OtlpReceiver) -> None:
    ended = run("ends.py", receiver.logs_endpoint, "end_by_return", flags=("-X", "dev"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert bodies(receiver) == ["last words"]


def test_the_exit_report_adds_up(receiver: OtlpReceiver) -> None:
    ended = run("ends.py", receiver.logs_endpoint, "end_by_return", FAPILOG_EXIT_REPORT="true")
    assert ended.stderr == (
        "fapilog: offered 1 = filtered 0 + accepted 1\n"
        "otlp: accepted 1 = delivered 1 + rejected 0 + pending 0\n"
    )


@pytest.mark.parametrize(
    ("when", "extra"),
    [("before", [1]), ("after", []), ("both", [0, 0, 0, 1])],
    ids=["inherited by forked workers", "of each worker alone", "ended and made anew by workers"],
)
def test_each_forked_worker_reports_its_own_ledger_once_however_it_ends(
    receiver: OtlpReceiver, when: str, extra: list[int]
) -> None:
    ended = run("reporting_workers.py", receiver.logs_endpoint, when)
    assert ended.returncode == 0, ended.stderr
    expected = [
        f"fapilog: offered {records} = filtered 0 + accepted {records}\n"
        f"otlp: accepted {records} = delivered {records} + rejected 0 + pending 0\n"
        for records in [2, 3, 4, *extra]
    ]
    # Each is one write, so that those of several processes do not mix.
    reports = re.findall(r"^fapilog: offered .*\n.*\n", ended.stderr, re.MULTILINE)
    assert "".join(reports) == ended.stderr
    assert sorted(reports) == sorted(expected)


# Exceptions that nobody caught


def hooked(receiver: OtlpReceiver, way: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """The end of a program, and the record that its hook made."""
    ended = run("ends.py", receiver.logs_endpoint, way)
    first, record = receiver.log_records
    assert first.body == "last words"
    stack = record.attributes["exception.stacktrace"]
    assert stack.startswith("Traceback (most recent call last):\n")
    assert stack.endswith("ValueError: no such order\n")
    return ended, {
        "body": record.body,
        "severity": record.severity_number,
        "event": record.event_name,
        "type": record.attributes["exception.type"],
        "message": record.attributes["exception.message"],
        "thread": record.attributes.get("thread.name"),
    }


EXCEPTION = {"event": "exception", "type": "ValueError", "message": "no such order", "thread": None}


def test_an_uncaught_exception_becomes_a_fatal_record(receiver: OtlpReceiver) -> None:
    ended, record = hooked(receiver, "end_by_exception")
    # The hook that Python had still prints.
    assert (ended.returncode, "ValueError: no such order\n" in ended.stderr) == (1, True)
    assert record == EXCEPTION | {"body": "uncaught exception", "severity": 21}


def test_an_uncaught_exception_of_a_thread_becomes_an_error_record(receiver: OtlpReceiver) -> None:
    ended, record = hooked(receiver, "end_after_exception_in_thread")
    assert (ended.returncode, "ValueError: no such order\n" in ended.stderr) == (0, True)
    assert record == EXCEPTION | {
        "body": "uncaught exception in thread",
        "severity": 17,
        "thread": "worker-7",
    }


def test_an_uncaught_exception_of_an_event_loop_becomes_an_error_record(receiver: OtlpReceiver) -> None:
    ended, record = hooked(receiver, "end_after_exception_in_loop")
    assert ended.returncode == 0
    assert record["body"].startswith("Exception in callback end_by_exception")
    assert record == EXCEPTION | {"body": record["body"], "severity": 17}


# Processes


@pytest.mark.parametrize("threads", ["started", "not started"])
def test_a_fork_loses_nothing_and_sends_nothing_twice(receiver: OtlpReceiver, threads: str) -> None:
    ended = run("fork.py", receiver.logs_endpoint, threads)
    early = ["delivered before the fork"] if threads == "started" else []
    assert (ended.returncode, ended.stderr, ended.stdout) == (0, "", f"{2 + len(early)}\n")
    arrived = {record.body: record.attributes for record in receiver.log_records}
    assert sorted(record.body for record in receiver.log_records) == sorted(
        [
            *early,
            "queued by the parent",
            "logged by the child",
            "logged by the grandchild",
            "logged by the child after its own fork",
            "logged by the parent after the fork",
        ]
    )
    instances = {record.body: record.resource["service.instance.id"] for record in receiver.log_records}
    assert {instances[body] for body in instances if "child" not in body} == {
        instances["queued by the parent"]
    }
    assert instances["logged by the child"] == instances["logged by the child after its own fork"]
    assert len(set(instances.values())) == 3
    after = {body: attributes for body, attributes in arrived.items() if "bound" in attributes}
    assert {attributes["bound"] for attributes in after.values()} == {"before the fork"}
    assert [attributes["status"] for attributes in after.values() if "status" in attributes] == [0, 0]


def test_forks_while_threads_log_and_send_lose_nothing(receiver: OtlpReceiver) -> None:
    ended = run("fork_under_load.py", receiver.logs_endpoint)
    children_ended_well, logged = ended.stdout.split()
    assert (ended.returncode, ended.stderr, children_ended_well) == (0, "", "True")
    arrived = Counter((r.body, r.attributes["worker"], r.attributes["number"]) for r in receiver.log_records)
    assert set(arrived.values()) == {1}
    assert sum(1 for body, _, _ in arrived if body == "parent") == int(logged)
    children = {(worker, number) for body, worker, number in arrived if body == "child"}
    assert children == {(worker, number) for worker in range(20) for number in range(10)}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_of_multiprocessing_deliver(receiver: OtlpReceiver, method: str) -> None:
    ended = run("workers.py", receiver.logs_endpoint, method)
    assert (ended.returncode, ended.stderr) == (0, "")
    workers = [record.attributes["number"] for record in receiver.log_records if record.body == "worker"]
    assert sorted(workers) == list(range(7))
    instances = {record.resource["service.instance.id"] for record in receiver.log_records}
    assert 5 <= len(instances) <= 6  # the parent, three processes, and one or two of the pool
    others = [record for record in receiver.log_records if record.body != "worker"]
    assert sorted(record.body for record in others) == ["after", "before"]
    assert [r.attributes["statuses"] for r in others if r.body == "after"] == [[0, 0, 0]]


@pytest.mark.parametrize("workers", [1, 2])
def test_uvicorn_that_is_terminated_delivers_everything(receiver: OtlpReceiver, workers: int) -> None:
    [port] = free_ports(1)
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "served:app", "--port", str(port), "--workers", str(workers)],
        cwd=PROGRAMS,
        env=environment(receiver.logs_endpoint),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr or ():
            if "Application startup complete" in line:
                break
        with ThreadPoolExecutor(4) as pool:
            urls = [f"http://127.0.0.1:{port}/orders/{number}" for number in range(20)]
            answers = list(pool.map(lambda url: httpx.get(url, timeout=10).json(), urls))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert [answer["number"] for answer in answers] == list(range(20))
    assert "fapilog" not in err
    assert process.returncode == (-signal.SIGTERM if workers == 1 else 0)
    logged = Counter(
        (record.scope_name, str(record.body))
        for record in receiver.log_records
        if record.scope_name in ("served", "legacy")
    )
    assert logged == {("served", "order"): 20} | {("legacy", f"order {n}"): 1 for n in range(20)}
    processes = {record.attributes.get("process") for record in receiver.log_records} - {None}
    assert processes == {answer["process"] for answer in answers}
    access = [record for record in receiver.log_records if record.scope_name == "uvicorn.access"]
    assert len(access) == 20
