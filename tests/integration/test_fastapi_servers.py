"""Real servers under mixed load, ended by SIGTERM: no record is lost, and none has the ids of another."""

import re
import signal
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from fapilog.testing import OtlpReceiver, ReceivedLogRecord
from tests.integration.fastapi_load import RECORDS
from tests.integration.fastapi_serving import (
    Answers,
    Server,
    assert_all_arrived_once,
    assert_each_has_its_own_ids,
    assert_nobody_mixes_ids,
    of_requests,
    start_load,
)
from tests.servers.ports import free_ports

GUNICORN = "gunicorn -b 127.0.0.1:PORT -k uvicorn_worker.UvicornWorker loaded:app -w"
HYPERCORN = "hypercorn -b 127.0.0.1:PORT loaded:app --graceful-timeout 30 -w"
UVICORN = "uvicorn loaded:app --port PORT --no-access-log --workers"
# Command, how the application is set up, the status of the end.
SERVERS = {
    "uvicorn": (f"{UVICORN} 1", "call", -signal.SIGTERM),
    "uvicorn, two workers": (f"{UVICORN} 2", "lifespan", 0),
    "uvicorn, zero code": (f"{UVICORN} 1", "none", -signal.SIGTERM),
    "gunicorn": (f"{GUNICORN} 2", "lifespan", 0),
    "gunicorn, preload": (f"{GUNICORN} 2 --preload", "call", 0),
    "gunicorn, workers replaced": (f"{GUNICORN} 2 --max-requests 100", "call", 0),
    "hypercorn": (f"{HYPERCORN} 1", "call", 0),
    "hypercorn, two workers": (f"{HYPERCORN} 2", "lifespan", 0),
}
# What these add is little: the long run has them.
LONG = {"gunicorn, preload", "gunicorn, workers replaced", "hypercorn"}
# Of the report of an exporter's ledger at the end of a process.
REPORT = re.compile(r"accepted (\d+) = delivered (\d+) \+ rejected 0 \+ pending 0$", re.MULTILINE)


class Loaded(NamedTuple):
    """What came of a server under load."""

    status: int
    written: str
    answers: Answers
    records: list[ReceivedLogRecord]


def serve(name: str, written: Path, answers: int) -> Loaded:
    """Start a server, load it, and end it by SIGTERM after so many answers, while more are asked for."""
    command, setup, _ = SERVERS[name]
    [port] = free_ports(1)
    more = {"SETUP": setup, "FAPILOG_EXIT_REPORT": "true"}
    with (
        OtlpReceiver() as receiver,
        Server(command, port, receiver, written, zero_code=setup == "none", **more) as server,
    ):
        server.wait_until_it_serves()
        load = start_load(port)
        try:
            for line in load.stdout or ():
                if int(line.split()[1]) >= answers:
                    break
            server.process.send_signal(signal.SIGTERM)
            status = server.process.wait(100)
            told, _ = load.communicate(timeout=60)
        finally:
            load.kill()
        return Loaded(status, written.read_text(), Answers.of(told.splitlines()[-1]), receiver.log_records)


def assert_nothing_is_wrong_or_lost(loaded: Loaded) -> None:
    records = of_requests(loaded.records)
    assert_each_has_its_own_ids(records)
    assert_nobody_mixes_ids(loaded.records)
    assert_all_arrived_once(records, loaded.answers)
    ledgers = [(int(accepted), int(delivered)) for accepted, delivered in REPORT.findall(loaded.written)]
    assert [each for each in ledgers if each[0] != each[1]] == []
    assert sum(delivered for _, delivered in ledgers) == len(loaded.records)
    assert loaded.written.count("fapilog: offered") == len(ledgers)
    assert "refused" not in loaded.written


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in LONG)) for name in SERVERS]
)
def test_no_record_is_lost_or_has_the_ids_of_another_request(name: str, tmp_path: Path) -> None:
    loaded = serve(name, tmp_path / "written", answers=300)
    assert_nothing_is_wrong_or_lost(loaded)
    assert {kind for kind, ids in loaded.answers.answered.items() if ids} == set(RECORDS)
    assert loaded.status == SERVERS[name][2]


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", SERVERS)
def test_nothing_is_lost_or_mixed_up_in_a_long_load(name: str, tmp_path: Path) -> None:
    loaded = serve(name, tmp_path / "written", answers=20_000)
    assert_nothing_is_wrong_or_lost(loaded)
    answers = Counter({kind: len(ids) for kind, ids in loaded.answers.answered.items()}).total()
    records = len(of_requests(loaded.records))
    print(
        f"\n{name}: {answers} answers, {loaded.answers.broken} broken, {records} records, none wrong or lost"
    )
