"""Logs one record that only the end of the process can deliver, and ends as its argument says."""

import asyncio
import os
import sys
import threading

from waiting import wait_for_a_signal

import fapilog

telemetry = fapilog.configure_otel(
    buffer={"schedule_delay_millis": 60_000, "shutdown_timeout_millis": 1_000}, exception_hooks=True
)
log = fapilog.get_logger("orders")


def end_by_signal() -> None:
    wait_for_a_signal()


def end_by_return() -> None:
    """The program's last line."""


def end_by_sys_exit() -> None:
    sys.exit(3)


def end_by_os_exit() -> None:
    os._exit(4)


def end_by_shutdown() -> None:
    telemetry.shutdown()


def end_by_exception() -> None:
    raise ValueError("no such order")


def end_after_exception_in_thread() -> None:
    thread = threading.Thread(target=end_by_exception, name="worker-7")
    thread.start()
    thread.join()


def end_after_exception_in_loop() -> None:
    from fapilog import hooks

    async def main() -> None:
        hooks.watch_loop()
        handled = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.call_soon(end_by_exception)
        loop.call_soon(handled.set)
        await handled.wait()

    asyncio.run(main())


def end_with_a_daemon_thread() -> None:
    begun = threading.Event()

    def work() -> None:
        number = 0
        while True:
            log.info("daemon", number=number)
            number += 1
            begun.set()

    threading.Thread(target=work, daemon=True).start()
    begun.wait()


class LogsWhenDeleted:
    """Kept by the module, so that it is deleted when the interpreter is torn down."""

    def __init__(self) -> None:
        self.log = log

    def __del__(self) -> None:
        self.log.info("deleted")


kept: list[LogsWhenDeleted] = []


def end_with_an_object_that_logs_when_deleted() -> None:
    kept.append(LogsWhenDeleted())


log.info("last words")
globals()[sys.argv[1]]()
