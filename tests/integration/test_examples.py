"""Every file of examples/ runs and shows its feature; no network but loopback."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from fapilog.testing import OtlpReceiver
from tests.contract.snippets import ROOT, run_python, without_times

EXAMPLES = ROOT / "examples"

OUTPUTS = {
    "hello": """\
TIME INFO  shop  order placed  order_id=42 amount=12.5 password=[REDACTED:secret]
TIME INFO  shop  order shipped  order_id=42 days=2 tenant=acme
offered 2 = filtered 0 + accepted 2
console: accepted 2 = delivered 2 + rejected 0 + pending 0
""",
    "bind_and_context": """\
TIME INFO  orders  received  region=eu request_id=r-1
TIME INFO  orders  received  region=eu request_id=r-2
TIME INFO  legacy  stdlib records carry it too  request_id=r-1
TIME INFO  orders  answered  region=us request_id=r-1
TIME INFO  legacy  stdlib records carry it too  request_id=r-2
TIME INFO  orders  answered  region=us request_id=r-2
""",
    "log_event": """\
TIME WARNING payments  card refused  user.id=u-7 client.address=203.0.113.7 fapilog.tag.team=checkout \
fapilog.metric.attempts=3.0 fapilog.event.category=security fapilog.correlation_id=c-1
""",
    "enrich_records": """\
TIME INFO  shop  no record waits for an answer  team=checkout
TIME INFO  shop  order placed  order_id=42 user.id=u-7 team=checkout deployment=blue
""",
    "control_volume": """\
TIME INFO  shop  cannot reach payments  attempt=0
TIME INFO2 shop  price changed  item=7
TIME INFO2 shop  price changed  item=7
offered 1002 = filtered 0 + refused 999 (repeated) + accepted 3
console: accepted 3 = delivered 3 + rejected 0 + pending 0
""",
    "flight_recorder": """\
TIME DEBUG shop  looked up  order_id=500 fapilog.flight_recorder=error
TIME DEBUG shop  priced  order_id=500 fapilog.flight_recorder=error
TIME ERROR shop  price is missing  order_id=500
offered 2001 = filtered 1998 + accepted 3
console: accepted 3 = delivered 3 + rejected 0 + pending 0
""",
    "settings_file": """\
level: from argument
console.style: from settings_file.yaml
buffer.overflow: from default
DEBUG visible, because the argument wins over the file
""",
    "async_backpressure": """\
the receiver has 2000 of 2000
offered 2000 = filtered 0 + accepted 2000
otlp: accepted 2000 = delivered 2000 + rejected 0 + pending 0
""",
    "python_exporter": """\
fapilog: exporter flaky: busy; records wait and are tried again [endpoint-unreachable]
['order placed', 'stock is low']
[REDACTED:secret]
offered 2 = filtered 0 + accepted 2
flaky: accepted 2 = delivered 2 + rejected 0 + pending 0
InMemoryLogRecordExporter: accepted 2 = delivered 2 + rejected 0 + pending 0
""",
    "several_providers": """\
orders ['order placed', 'order shipped']
offered 2 = filtered 0 + accepted 2
otlp: accepted 2 = delivered 2 + rejected 0 + pending 0
audit ['price changed']
offered 1 = filtered 0 + accepted 1
otlp: accepted 1 = delivered 1 + rejected 0 + pending 0
""",
}
# What remains of the output where a traceback's look depends on the version of Python.
LINES = {
    "exceptions": [
        "TIME ERROR orders  order refused  order_id=42",
        "ValueError: invalid literal for int() with base 10: 'many'",
        "__main__.OrderError: not a number of cups",
        "TIME WARN  orders  trying again later",
        "ValueError: invalid literal for int() with base 10: 'many'",
        "__main__.OrderError: not a number of cups",
    ],
    "stdlib_logging": [
        "TIME INFO  legacy.billing  invoice R-42 printed  pages=3 api_key=[REDACTED:secret]",
        "TIME ERROR legacy.billing  cannot divide",
        "ZeroDivisionError: division by zero",
    ],
}
OTHERS = {"fastapi_app/", "scale_out/", "testing_example"}


def run(name: str) -> str:
    # The settings file chooses the console itself, and its stream.
    variables = {} if name in ("settings_file", "hello") else {"FAPILOG_EXPORTERS": "console"}
    done = run_python([f"{name}.py"], EXAMPLES, **variables)
    assert done.returncode == 0, done.stdout
    # On a busy machine the answer in `enrich_records` may come before the record that does not wait for it.
    early = ("an answer  team=checkout deployment=blue", "an answer  team=checkout")
    return without_times(done.stdout).replace(*early)


def test_every_example_is_run_here_and_listed_in_their_readme():
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    names |= {f"{path.parent.name}/" for path in EXAMPLES.glob("*/__init__.py")}
    assert names == {*OUTPUTS, *LINES, *OTHERS}
    listed = re.findall(
        r"^\| \[(\w+/?)(?:\.py)?\]", (EXAMPLES / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    # Packages, each with tests of its own.
    assert sorted(listed) == sorted({*names, "plugins/"})


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_example_prints_exactly_this(name: str):
    assert run(name) == OUTPUTS[name]


@pytest.mark.parametrize("name", LINES)
def test_an_example_with_exceptions_prints_their_records_and_the_chain(name: str):
    lines = [
        line.removeprefix("    | ").split(" code.file.path=")[0].rstrip() for line in run(name).splitlines()
    ]
    wanted = [line for line in lines if line.startswith("TIME") or re.match(r"(\w+\.)?\w+Error: ", line)]
    assert wanted == LINES[name]


def test_the_example_of_a_test_passes():
    options = ["-q", "-p", "no:fapilog", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    done = run_python(["-m", "pytest", *options, "testing_example.py"], EXAMPLES)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_the_fastapi_example_serves_under_uvicorn_and_delivers_when_it_is_terminated():
    card = "4111 1111 1111 1111"
    order = json.dumps({"customer": "ann@example.com", "card": card, "item": "tea"}).encode()
    with OtlpReceiver() as receiver, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        }
        command = [sys.executable, "-m", "uvicorn", "fastapi_app.serve:app", "--fd", str(listener.fileno())]
        with subprocess.Popen(
            command, cwd=EXAMPLES, env=environment, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL
        ) as service:
            try:
                headers = {"Content-Type": "application/json", "X-Correlation-ID": "c-1"}
                # The socket listens already, so the request waits for the service to come up.
                with urllib.request.urlopen(
                    urllib.request.Request(f"{address}/orders", order, headers), timeout=30
                ) as answer:
                    body, echoed = json.load(answer), answer.headers["X-Correlation-ID"]
                service.send_signal(signal.SIGTERM)
                service.wait(30)
            finally:
                service.kill()
        # A request groups records by their logger.
        records = sorted(receiver.log_records, key=lambda record: record.attributes["fapilog.sequence"])
        received = str([request.message for request in receiver.requests])
    assert (body, echoed) == ({"order_id": 1, "item": "tea", "count": 1}, "c-1")
    inside = [record for record in records if "fapilog.correlation_id" in record.attributes]
    assert [(record.scope_name, record.body) for record in inside] == [
        ("shop", "order placed"),
        ("legacy.billing", "invoice R-1 is printed by old code"),
        ("fapilog.http", "POST /orders 201"),
        ("shop", "receipt of order 1 sent to [REDACTED:email]"),
    ]
    assert {record.attributes["fapilog.correlation_id"] for record in inside} == {"c-1"}
    assert len({record.trace_id for record in inside} - {""}) == 1
    assert {record.resource["service.name"] for record in records} == {"shop"}
    assert [word for word in (card, card.replace(" ", ""), "ann@example.com") if word in received] == []
