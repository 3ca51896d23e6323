"""A real PostgreSQL on loopback, of the programs that are installed; batches; a schema for each test."""

import asyncio
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fapilog import LogBatch
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from postgres_table import PostgresExporter

START_TIMEOUT_SECONDS = 60.0
# The day of the records that tests make.
TODAY_SECONDS = 1_795_219_200
_numbers = itertools.count(1)


def program(name: str) -> str:
    """The path of a program of PostgreSQL; the tests are skipped where there is none."""
    candidates = [shutil.which(name), *sorted(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")))]
    found = next((each for each in reversed(candidates) if each), None)
    if found is None:
        pytest.skip(
            f"PostgreSQL is not installed ({name} is missing; `apt-get install postgresql` brings it)"
        )
    return found


class Database:
    """A running server, and a role `app` that owns nothing."""

    def __init__(self) -> None:
        self._initdb, self._postgres = program("initdb"), program("postgres")
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-table-"))
        self._as: dict[str, Any] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            owner = pwd.getpwnam("nobody")
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            self._as = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        options = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(
            [self._initdb, *options, f"--pgdata={self._data}"],
            check=True,
            capture_output=True,
            cwd=self._folder,
            timeout=START_TIMEOUT_SECONDS,
            **self._as,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.run("CREATE ROLE app LOGIN")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def dsn(self, role: str = "app", database: str = "postgres") -> str:
        """Where it listens."""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "fsync=off",
            "max_connections=40",
        ]
        command = [self._postgres, f"-D{self._data}", f"-p{self.port}"]
        command += [word for setting in settings for word in ("-c", setting)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._folder, **self._as
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            try:
                self.run("SELECT 1")
                return
            except (OSError, asyncpg.PostgresError):
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """End it at once, as a crash does: the next start recovers."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGQUIT)
            process.wait(START_TIMEOUT_SECONDS)

    def remove(self) -> None:
        """End it and forget its data."""
        self.kill()
        shutil.rmtree(self._folder)

    def run(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """Run a statement as the administrator."""

        async def ask() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(self.dsn("postgres"), timeout=10)
            try:
                return await connection.fetch(statement, *arguments)
            finally:
                await connection.close()

        # A thread of its own: a test may ask while its loop runs.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(ask())).result()


class Place:
    """A schema of its own for one test."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.schema = f"s{os.getpid()}_{next(_numbers)}"
        self.table = f"{self.schema}.log_records"
        database.run(f"CREATE SCHEMA {self.schema}")
        self.run(f"GRANT USAGE, CREATE ON SCHEMA {self.schema} TO app")

    def exporter(self, **given: Any) -> PostgresExporter:
        """An exporter into the table, for which it is the day of the records."""
        settings = {"dsn": self.database.dsn(), "table": self.table, "refused_pause_millis": 1, **given}
        return PostgresExporter(wall_clock=lambda: float(TODAY_SECONDS), **settings)

    def run(self, statement: str) -> list[asyncpg.Record]:
        """Run a statement as the administrator, with `log_records` for the table."""
        return self.database.run(statement.replace("log_records", self.table))

    def rows(self, columns: str = "*") -> list[dict[str, Any]]:
        """The rows of the table, in the order of their bodies."""
        return [dict(row) for row in self.run(f"SELECT {columns} FROM log_records ORDER BY body")]

    def partitions(self) -> dict[str, int]:
        """Rows of each partition that has some."""
        rows = self.run("SELECT tableoid::regclass::text AS name, count(*) FROM log_records GROUP BY 1")
        return {row["name"].rpartition(".log_records_")[2]: row["count"] for row in rows}

    def break_it(self) -> None:
        """Let the exporter in no more."""
        self.run(f"REVOKE ALL ON SCHEMA {self.schema} FROM app")


@pytest.fixture(autouse=True)
def _no_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("PG", "FAPILOG_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    running = Database()
    yield running
    running.remove()


@pytest.fixture
def own_database() -> Iterator[Database]:
    """One that the test may kill."""
    running = Database()
    yield running
    running.remove()


@pytest.fixture
def place(database: Database) -> Place:
    return Place(database)


def records(*bodies: str, nanos: int = TODAY_SECONDS * 10**9 + 123_456_789, **attributes: Any) -> LogBatch:
    """A batch with a record for each body, as a service logs them inside a span."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "checkout"
    scope = resource.scope_logs.add()
    scope.scope.name = "shop"
    for body in bodies:
        record = scope.log_records.add(
            time_unix_nano=nanos,
            observed_time_unix_nano=nanos,
            severity_number=9,
            severity_text="INFO",
            trace_id=bytes.fromhex("5b8efff798038103d269b633813fc60c"),
            span_id=bytes.fromhex("eee19b7ec3c1b174"),
        )
        record.body.string_value = body
        for key, value in {"order_id": 42, **attributes}.items():
            attribute = record.attributes.add(key=key)
            if isinstance(value, int):
                attribute.value.int_value = value
            else:
                attribute.value.string_value = value
    return LogBatch(request.SerializeToString())


@pytest.fixture
def make_batch() -> Any:
    return records


@pytest.fixture
def place_in() -> Any:
    return Place
