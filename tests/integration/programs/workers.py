"""Logs in children of multiprocessing, started by the method that the argument names."""

import multiprocessing
import sys

import fapilog


def work(number: int) -> None:
    configure()
    fapilog.get_logger("workers").info("worker", number=number)


def configure() -> fapilog.Telemetry:
    return fapilog.configure_otel(buffer={"schedule_delay_millis": 60_000})


if __name__ == "__main__":
    telemetry = configure()
    log = fapilog.get_logger("main")
    log.info("before")
    context = multiprocessing.get_context(sys.argv[1])
    children = [context.Process(target=work, args=(number,)) for number in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    with context.Pool(2) as pool:
        pool.map(work, range(3, 7))
        pool.close()
        pool.join()
    log.info("after", statuses=[child.exitcode for child in children])
