"""Forks many times while threads log; prints how many records the parent logged."""

import os
import threading

import fapilog

telemetry = fapilog.configure_otel(buffer={"schedule_delay_millis": 10, "shutdown_timeout_millis": 20_000})
log = fapilog.get_logger("load")
done = threading.Event()


def work(worker: int, counts: dict[int, int]) -> None:
    number = 0
    while not done.is_set():
        log.info("parent", worker=worker, number=number)
        number += 1
        counts[worker] = number
        done.wait(0.0005)


counts: dict[int, int] = {}
threads = [threading.Thread(target=work, args=(worker, counts)) for worker in range(4)]
for thread in threads:
    thread.start()
children = []
for child in range(20):
    process = os.fork()
    if process == 0:
        for number in range(10):
            log.info("child", worker=child, number=number)
        os._exit(0 if telemetry.force_flush(20_000) else 1)
    children.append(process)
statuses = [os.waitpid(process, 0)[1] for process in children]
done.set()
for thread in threads:
    thread.join()
print(statuses == [0] * 20, sum(counts.values()))
