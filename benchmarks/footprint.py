"""What a library costs before and after the work: import, set-up, size on disk, exit."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

from benchmarks.libraries import ADAPTERS, NotInstalledError, load
from benchmarks.measure import Goal, Row, best, missing
from benchmarks.options import Options
from benchmarks.servers import ROOT, null_receiver
from benchmarks.surroundings import clean_environment

API = "opentelemetry API"
API_IMPORTS = "import opentelemetry.trace, opentelemetry.metrics, opentelemetry._logs"
OTEL_IMPORTS = (
    "import opentelemetry.sdk._logs.export, opentelemetry.exporter.otlp.proto.http._log_exporter as exporter"
)
IMPORTS = {
    API: API_IMPORTS,
    "fapilog": "import fapilog",
    "otel emit": OTEL_IMPORTS,
    "stdlib json": "import logging",
    "structlog": "import structlog",
    "loguru": "import loguru",
    "picologging": "import picologging",
    "logfire": "import logfire",
}
MEASURE_IMPORT = """\
import sys, time
before = len(sys.modules)
start = time.perf_counter()
{statement}
print(time.perf_counter() - start, len(sys.modules) - before, "pydantic" in sys.modules)
"""
SET_UP = """\
import sys, time
sys.path.insert(0, {root!r})
from benchmarks.libraries import load
library = load({name!r})
start = time.perf_counter()
library.prepare({endpoint!r})
print(time.perf_counter() - start, flush=True)
"""
EXIT = (
    SET_UP
    + """\
from benchmarks.tasks import produce
from benchmarks.scenarios import varied_rows
produce(library.stream(), varied_rows(), {n}, None)
print("end", flush=True)
"""
)
REFUSED = "http://127.0.0.1:9"
PROGRAM_TIMEOUT_SECONDS = 60.0
EXIT_LIBRARIES = ("fapilog", "otel emit", "otel handler", "logfire")


def run(options: Options) -> list[Row]:
    """Return the rows of import, set-up, size and exit."""
    return import_rows(options) + set_up_rows(options) + size_rows() + exit_rows(options)


def python(code: str, timeout: float = PROGRAM_TIMEOUT_SECONDS) -> str:
    """Run a program in a fresh interpreter without our own settings; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=True,
    )
    return done.stdout


def installed(name: str) -> str | None:
    """Return why a library is missing, or None."""
    try:
        load(name)
    except NotInstalledError as error:
        return str(error)
    return None


def import_rows(options: Options) -> list[Row]:
    """Time the import in fresh interpreters, all libraries in turns."""
    seconds: dict[str, list[float]] = {}
    modules: dict[str, int] = {}
    pydantic: dict[str, bool] = {}
    reasons = {name: why for name in IMPORTS if name != API and (why := installed(name))}
    for _ in range(options.pick(9, 3)):
        for name, statement in IMPORTS.items():
            if name not in reasons:
                spent, count, loaded = python(MEASURE_IMPORT.format(statement=statement)).split()
                seconds.setdefault(name, []).append(float(spent))
                modules[name], pydantic[name] = int(count), loaded == "True"
    rows = []
    for name, spent_seconds in seconds.items():
        rows.append(Row(name, "import", best(spent_seconds) * 1000, "ms", headline=True))
        rows.append(
            Row(name, "modules loaded", modules[name], "", note="loads pydantic" if pydantic[name] else "")
        )
    for name, why in reasons.items():
        rows += missing([name], "import", "ms", why)
    beyond = "import, beyond the OpenTelemetry API's own"
    if "fapilog" in seconds:
        extra = (best(seconds["fapilog"]) - best(seconds[API])) * 1000
        rows.append(Row("fapilog", beyond, extra, "ms", goal=Goal(at_most=20)))
        with_pydantic = float(pydantic["fapilog"])
        rows.append(Row("fapilog", "pydantic loaded by the import", with_pydantic, "", goal=Goal(at_most=0)))
    else:
        rows += missing(["fapilog"], beyond, "ms", reasons["fapilog"], Goal(at_most=20))
    return rows


def set_up_rows(options: Options) -> list[Row]:
    """Time the first configuration, imports that it causes included, all libraries in turns."""
    seconds: dict[str, list[float]] = {}
    reasons = {name: why for name in ADAPTERS if (why := installed(name))}
    with null_receiver() as receiver:
        for _ in range(options.pick(5, 2)):
            for name in (name for name in ADAPTERS if name not in reasons):
                code = SET_UP.format(root=str(ROOT), name=name, endpoint=receiver.endpoint)
                seconds.setdefault(name, []).append(float(python(code).split()[0]))
    goal = Goal(at_most=150)
    rows = [
        row for name, why in reasons.items() for row in missing([name], "set-up", "ms", why, goal, "Set-up")
    ]
    for name, found in seconds.items():
        own_goal = goal if name == "fapilog" else None
        rows.append(Row(name, "set-up", best(found) * 1000, "ms", goal=own_goal, group="Set-up"))
    return rows


def size_rows() -> list[Row]:
    """Return the size of our wheel, if built, and of the files that each distribution installed."""
    wheels = sorted(ROOT.glob("dist/*.whl"), key=lambda path: path.stat().st_mtime)
    if wheels:
        rows = [Row("fapilog", "wheel", wheels[-1].stat().st_size / 1e6, "MB", group="Size")]
    else:
        rows = missing(["fapilog"], "wheel", "MB", "no wheel in dist/: run make wheels", group="Size")
    for name in ("fapilog", "opentelemetry-sdk", "structlog", "loguru", "picologging", "logfire"):
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            rows += missing([name], "installed", "MB", "not installed", group="Size")
            continue
        paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
        size = sum(path.stat().st_size for path in paths if path.is_file())
        rows.append(Row(name, "installed", size / 1e6, "MB", group="Size"))
    return rows


def exit_rows(options: Options) -> list[Row]:
    """Time from the last statement to the end of the process, with records still queued."""
    n = options.pick(20_000, 5_000)
    timeout = options.pick(60.0, 5.0)
    reasons = {name: why for name in EXIT_LIBRARIES if (why := installed(name))}
    queued, refused = f"exit, {n:,} records queued", f"exit, {n:,} records queued, collector refuses"
    rows = [
        row
        for name, why in reasons.items()
        for title in (queued, refused)
        for row in missing([name], title, "ms", why, group="Exit")
    ]
    present = [name for name in EXIT_LIBRARIES if name not in reasons]
    for name in present:
        with null_receiver() as receiver:
            rows.append(exit_row(name, queued, receiver.endpoint, n, timeout))
    # These sleep between retries, so they can wait side by side.
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(exit_row, name, refused, REFUSED, n, timeout) for name in present]
        return rows + [future.result() for future in waiting]


def exit_row(name: str, title: str, endpoint: str, n: int, timeout: float) -> Row:
    """Run a program and time its end, up to a limit."""
    code = EXIT.format(root=str(ROOT), name=name, endpoint=endpoint, n=n)
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "end":
            if process.poll() is not None:
                return Row(
                    name, title, None, "ms", note=f"{title}: ended early, {process.returncode}", group="Exit"
                )
        start = time.perf_counter()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            return Row(
                name, title, None, "ms", note=f"{title}: still running after {timeout:.0f} s", group="Exit"
            )
        return Row(name, title, (time.perf_counter() - start) * 1000, "ms", group="Exit")


if __name__ == "__main__":
    from benchmarks.report import print_rows

    print_rows(run(Options.from_arguments()))
