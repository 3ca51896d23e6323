"""Small programs under `opentelemetry-instrument`, one per name; each prints what it found, as JSON."""

import json
import logging
import multiprocessing
import os
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from opentelemetry import _logs, metrics, trace
from waiting import wait_for_a_signal

import fapilog


def what_is_installed() -> dict[str, Any]:
    provider = _logs.get_logger_provider()
    logging.getLogger("legacy").info("legacy")
    fapilog.get_logger("ours").info("ours")
    provider.get_logger("api").emit(body="api")
    return {
        "provider": f"{type(provider).__module__}.{type(provider).__name__}",
        "tracers": type(trace.get_tracer_provider()).__module__,
    }


def threads_before_the_first_record() -> dict[str, Any]:
    return {"python": threading.active_count(), "all": sum(1 for _ in Path("/proc/self/task").iterdir())}


def threads_by_name() -> list[str]:
    return sorted(thread.name for thread in threading.enumerate())


def helpers_of_multiprocessing() -> dict[str, Any]:
    fapilog.get_logger("ours").info("parent")
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=log_in_child)
    child.start()
    child.join()
    from multiprocessing import resource_tracker

    tracker = resource_tracker._resource_tracker
    loaded = "_native.abi3" in Path(f"/proc/{tracker._pid}/maps").read_text()
    return {"status": child.exitcode, "the tracker loaded fapilog": loaded}


def children(method: str) -> dict[str, Any]:
    fapilog.get_logger("ours").info("before")
    context = multiprocessing.get_context(method)
    started = [context.Process(target=log_numbers, args=(number * 10,)) for number in range(3)]
    for child in started:
        child.start()
    for child in started:
        child.join()
    with context.Pool(2) as pool:
        pool.map(log_numbers, [30, 40], chunksize=1)
        pool.close()
        pool.join()
    fapilog.get_logger("ours").info("after")
    return {"statuses": [child.exitcode for child in started]}


def forks() -> dict[str, Any]:
    with trace.get_tracer("t").start_as_current_span("parent"):
        fapilog.get_logger("ours").info("before")
    pids = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            log_numbers(number * 10)
            sys.exit(7)
        pids.append(pid)
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    fapilog.get_logger("ours").info("after")
    return {"statuses": statuses}


def log_numbers(start: int) -> None:
    with trace.get_tracer("t").start_as_current_span("work"):
        for number in range(start, start + 10):
            fapilog.get_logger("ours").info("number", number=number)
            logging.getLogger("legacy").info("legacy", extra={"number": number})


def log_in_child() -> None:
    fapilog.get_logger("ours").info("child")


def configure_again(**arguments: Any) -> dict[str, Any]:
    try:
        telemetry = fapilog.configure_otel(**arguments)
    except fapilog.FapilogError as error:
        return {"error": error.code, "details": error.details}
    fapilog.get_logger("ours").info("after")
    return {"same": telemetry.logger_provider is _logs.get_logger_provider()}


def shut_down() -> dict[str, Any]:
    telemetry = fapilog.configure_otel()
    with trace.get_tracer("t").start_as_current_span("s"):
        fapilog.get_logger("ours").info("last words")
    return {"drained": telemetry.shutdown(), "status": telemetry.health().status}


def log_a_secret_in_a_span() -> dict[str, Any]:
    provider = _logs.get_logger_provider()
    context = trace.SpanContext(0xA1, 0xB2, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        provider.get_logger("scope", "1.2", attributes={"a": 1}).emit(
            timestamp=1_700_000_000_123_456_789,
            severity_number=_logs.SeverityNumber.DEBUG,
            severity_text="DEBUG",
            body="api",
            attributes={"password": "hunter2", "number": 1},
            event_name="e",
        )
    return {
        "provider": f"{type(provider).__module__}.{type(provider).__name__}",
        "trace": trace.format_trace_id(context.trace_id),
        "span": trace.format_span_id(context.span_id),
    }


def wait_to_be_terminated() -> NoReturn:
    _logs.get_logger_provider().get_logger("scope").emit(body="last words")
    wait_for_a_signal()


def last_resort() -> dict[str, Any]:
    logging.getLogger("legacy").warning("nobody configured logging")
    return {}


def log_under_rules() -> dict[str, Any]:
    fapilog.get_logger("ours").info("ours", ssn="078-05-1120", second=2, third=3)
    fapilog.get_logger("silent").error("silent")
    logging.getLogger("careful.part").warning("careful warning")
    logging.getLogger("careful.part").error("careful error")
    not_sampled = trace.NonRecordingSpan(trace.SpanContext(1, 1, is_remote=False))
    with trace.use_span(not_sampled):
        fapilog.get_logger("sampled").info("not sampled")
    with trace.get_tracer("t").start_as_current_span("s"):
        fapilog.get_logger("sampled").info("sampled")
    metrics.get_meter("m").create_counter("c").add(1)
    return what_is_installed()


def main() -> None:
    name, arguments = sys.argv[1], json.loads(sys.argv[2])
    print(json.dumps(globals()[name](**arguments)), flush=True)


if __name__ == "__main__":
    main()
