"""The console exporter: styles, the stream of the moment, colour, and text that cannot forge a line."""

import io
import sys

import pytest

from fapilog import Settings
from fapilog.exporters.console import on_terminal, wants_colour, writer
from fapilog.ledger import ExporterLedger
from fapilog.settings import ConsoleSettings
from tests.unit.recording import Recorder

TIME = "2023-11-14T22:13:20.123456789Z"
LINES = {
    "pretty": '22:13:20.123Z INFO  shop  order placed  order_id=42 note="two words"\n',
    "json": f'{{"timestamp":"{TIME}","severity_text":"INFO","severity_number":9,"scope":"shop",'
    '"body":"order placed","attributes":{"order_id":42,"note":"two words"}}\n',
    "logfmt": f'time={TIME} level=info logger=shop msg="order placed" order_id=42 note="two words"\n',
    "minimal": 'INFO order placed order_id=42 note="two words"\n',
}
FORGED = {
    "pretty": '22:13:20.123Z WARN  shop  a\\nERROR b\\x1b[31m  key="c\\r\\nd"\n',
    "json": f'{{"timestamp":"{TIME}","severity_text":"WARN","severity_number":13,"scope":"shop",'
    '"body":"a\\nERROR b\\u001b[31m","attributes":{"key":"c\\r\\nd"}}\n',
    "logfmt": f'time={TIME} level=warn logger=shop msg="a\\nERROR b\\u001b[31m" key="c\\r\\nd"\n',
    "minimal": 'WARN a\\nERROR b\\x1b[31m key="c\\r\\nd"\n',
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console(**settings: str) -> Recorder:
    """Answer a recorder that also writes to the console."""
    return Recorder(exporters=("console",), console={"colour": "never"} | settings)


@pytest.mark.parametrize("style", LINES)
def test_a_record_is_one_line_in_each_style(capsys, style):
    with console(style=style) as recorder:
        recorder.logger().info("order placed", order_id=42, note="two words")
    assert capsys.readouterr() == ("", LINES[style])


@pytest.mark.parametrize("style", FORGED)
def test_newlines_and_control_characters_in_a_record_forge_nothing(capsys, style):
    with console(style=style) as recorder:
        recorder.logger().warning("a\nERROR b\x1b[31m", key="c\r\nd")
    assert capsys.readouterr().err == FORGED[style]


def test_the_pretty_style_indents_the_stack_trace_below_the_line(capsys):
    with console() as recorder:
        recorder.logger().error("failed", exc_info=ValueError("a\nb"))
    assert capsys.readouterr().err == "22:13:20.123Z ERROR shop  failed\n    | ValueError: a\n    | b\n"


def test_secrets_do_not_reach_the_console(capsys):
    with console(style="minimal") as recorder:
        recorder.logger().info("login", password="hunter2")
    assert capsys.readouterr().err == "INFO login password=[REDACTED:secret]\n"


def test_the_stream_is_the_one_of_the_moment(capsys, monkeypatch):
    with console(style="minimal", stream="stdout") as recorder:
        recorder.logger().info("first")
        redirected = io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", redirected)
            recorder.logger().info("second")
        recorder.logger().info("third")
    assert capsys.readouterr() == ("INFO first\nINFO third\n", "")
    assert redirected.getvalue() == "INFO second\n"


def test_lines_stand_in_order_with_print(capsys):
    with console(style="minimal", stream="stdout") as recorder:
        print("before")
        recorder.logger().info("between")
        print("after")
    assert capsys.readouterr().out == "before\nINFO between\nafter\n"


@pytest.mark.parametrize("stream", [None, io.TextIOWrapper(io.BytesIO(), "ascii")])
def test_a_stream_that_cannot_be_written_is_counted_and_harms_nobody(monkeypatch, stream):
    with console() as recorder:
        monkeypatch.setattr(sys, "stderr", stream)
        recorder.logger().info("snowman \u2603")
        monkeypatch.undo()
        assert recorder.provider.ledger().exporters == {"console": ExporterLedger(1, 0, 1, {}, 0)}


def test_the_writer_flushes_each_text(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=False)
    monkeypatch.setattr(sys, "stderr", stream)
    writer("stderr")("text\n")
    assert stream.buffer.getvalue() == b"text\n"


@pytest.mark.parametrize(
    ("colour", "environ", "terminal", "wanted"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_is_decided_by_setting_then_variables_then_terminal(
    monkeypatch, colour, environ, terminal, wanted
):
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    assert wants_colour(ConsoleSettings(colour=colour), environ) is wanted


def test_colour_variables_are_read_from_the_process(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    stream = io.StringIO()
    with console(colour="auto") as recorder:
        monkeypatch.setattr(sys, "stderr", stream)
        recorder.logger().info("x")
        monkeypatch.undo()
    assert stream.getvalue() == "\x1b[2m22:13:20.123Z\x1b[0m \x1b[32mINFO\x1b[0m  \x1b[2mshop\x1b[0m  x\n"


def test_a_stream_that_is_missing_or_closed_is_no_terminal(monkeypatch):
    closed = io.StringIO()
    closed.close()
    answers = []
    for stream in (None, closed, Terminal()):
        monkeypatch.setattr(sys, "stderr", stream)
        answers.append(on_terminal(Settings.load(environ={}).console))
    assert answers == [False, False, True]
