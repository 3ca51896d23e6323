"""One way to deliver in one process: `python -m benchmarks.delivered_process WAY URL COUNT`; a line of JSON.

The clock runs from the first call until the server has all records, or no more come.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack
from typing import Any

from benchmarks.delivered_ways import WAYS
from benchmarks.libraries import NotInstalledError
from benchmarks.null_server.server import cpu_seconds, stats, wait_for_records


def measure(way: str, url: str, count: int) -> dict[str, Any]:
    """Send so many records; return seconds, CPU, and how many arrived."""
    with ExitStack() as stack:
        try:
            send = WAYS[way].start(url, stack)
        except ImportError as error:
            return {"missing": f"not installed: {error}"}
        except NotInstalledError as error:
            return {"missing": str(error)}
        asks = WAYS[way].counted_by_server
        before = stats(url)["records"] if asks else 0
        cpu, start = time.process_time(), time.perf_counter()
        account = send(count)
        if asks:
            arrived, at = wait_for_records(url, before + count, WAYS[way].quiet_seconds)
            cpu = time.process_time() - cpu
        else:
            arrived, at, cpu = account.pop("arrived"), account.pop("at"), account.pop("cpu_at") - cpu
        if (other := account.pop("cpu_of", None)) is not None:
            # It has done nothing else since it was started.
            cpu = cpu_seconds(other)
        return {"seconds": at - start, "cpu_seconds": cpu, "arrived": arrived - before, "account": account}


def main() -> None:
    """Measure, print, and leave without waiting for a library's threads."""
    # Standard output carries the reply only.
    reply = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    way, url, count = sys.argv[1:]
    reply.write(json.dumps(measure(way, url, int(count))) + "\n")
    reply.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
