"""The logger's own voice: once per subject and interval, one line, never an exception."""

import io
import os
import threading

import pytest

from fapilog import diagnostics
from fapilog.diagnostics import OnError, Voice, one_line
from fapilog.errors import ConfigurationError, FapilogError


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def stream():
    return io.StringIO()


@pytest.fixture
def voice(stream, clock):
    return Voice(stream, clock, interval_seconds=60)


def test_a_line_has_prefix_message_and_code(voice, stream):
    assert voice.say("timeout-unit", "X is 5000") is True
    assert stream.getvalue() == "fapilog: X is 5000 [timeout-unit]\n"


def test_the_same_subject_is_said_once_per_interval_and_then_with_the_number_held_back(voice, stream, clock):
    said = [voice.say("a", "first"), voice.say("a", "again"), voice.say("a", "again")]
    clock.now += 59.9
    said.append(voice.say("a", "still too early"))
    clock.now += 0.1
    said.append(voice.say("a", "later"))
    clock.now += 60
    said.append(voice.say("a", "last"))
    assert said == [True, False, False, False, True, True]
    assert stream.getvalue().splitlines() == [
        "fapilog: first [a]",
        "fapilog: later [a] (3 more like this before)",
        "fapilog: last [a]",
    ]


def test_other_codes_and_other_subjects_are_not_held_back(voice, stream):
    voice.say("a", "1")
    voice.say("b", "2")
    voice.say("a", "3", about="OTEL_X")
    assert stream.getvalue() == "fapilog: 1 [a]\nfapilog: 2 [b]\nfapilog: 3 [a]\n"


def test_a_value_can_neither_forge_a_line_nor_command_the_terminal(voice, stream):
    voice.say("a", "x\nfapilog: forged\x1b[31m\u2028 caf\u00e9 \ud800")
    assert stream.getvalue() == "fapilog: x\\nfapilog: forged\\x1b[31m\\u2028 caf\u00e9 \\ud800 [a]\n"


def test_printable_text_is_left_alone():
    assert one_line("it's 5 \u20ac") == "it's 5 \u20ac"


class BrokenStream(io.StringIO):
    def write(self, text):
        raise OSError("closed")


@pytest.mark.parametrize("broken", [BrokenStream(), None], ids=["raising", "closed stderr"])
def test_a_broken_stream_is_no_error(broken, monkeypatch):
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    assert Voice(broken).say("a", "message") is False


def test_no_stderr_at_all_is_no_error(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert Voice().say("a", "message") is False


def test_stderr_is_looked_up_at_each_line(monkeypatch):
    voice, first, second = Voice(), io.StringIO(), io.StringIO()
    monkeypatch.setattr("sys.stderr", first)
    voice.say("a", "1")
    monkeypatch.setattr("sys.stderr", second)
    voice.say("b", "2")
    assert (first.getvalue(), second.getvalue()) == ("fapilog: 1 [a]\n", "fapilog: 2 [b]\n")


def test_a_stream_that_speaks_itself_does_not_recurse():
    answers = []

    class Logging(io.StringIO):
        def write(self, text):
            answers.append(voice.say("inner", "from the stream"))
            return super().write(text)

    stream = Logging()
    voice = Voice(stream)
    assert voice.say("outer", "message") is True
    assert (answers, stream.getvalue()) == ([False], "fapilog: message [outer]\n")


def test_many_threads_say_one_subject_once(voice, stream):
    start = threading.Barrier(8)

    def speak():
        start.wait(timeout=10)
        voice.say("a", "same")

    threads = [threading.Thread(target=speak) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert stream.getvalue() == "fapilog: same [a]\n"


def test_the_memory_of_subjects_is_bounded(voice):
    for number in range(3_000):
        voice.say("a", "x", about=str(number))
    assert len(voice._said) <= 1_024


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_can_speak_though_its_parent_held_the_lock(capfd):
    diagnostics._voice.forget()
    diagnostics.say("a", "parent")
    holding, release = threading.Event(), threading.Event()

    def hold():
        with diagnostics._voice._lock:
            holding.set()
            release.wait(timeout=30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert holding.wait(timeout=10)
    child = os.fork()
    if child == 0:
        os._exit(0 if diagnostics.say("a", "child") else 1)
    _, status = os.waitpid(child, 0)
    release.set()
    thread.join(timeout=10)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "fapilog: child [a]" in capfd.readouterr().err


ERROR = FapilogError("export-timeout", "no answer")
OTHER = FapilogError("export-rejected", "400")


def counts(dispatch):
    return {"called": dispatch.called, "failed": dispatch.failed, "suppressed": dispatch.suppressed}


def test_on_error_gets_the_error_itself(clock):
    seen = []
    dispatch = OnError(seen.append, clock)
    assert dispatch(ERROR) is True
    assert seen == [ERROR]
    assert counts(dispatch) == {"called": 1, "failed": 0, "suppressed": 0}


def test_on_error_is_called_once_per_code_and_interval(clock):
    seen = []
    dispatch = OnError(seen.append, clock, interval_seconds=1)
    answers = [dispatch(ERROR), dispatch(ERROR), dispatch(OTHER)]
    clock.now += 1
    answers.append(dispatch(ERROR))
    assert answers == [True, False, True, True]
    assert seen == [ERROR, OTHER, ERROR]
    assert counts(dispatch) == {"called": 3, "failed": 0, "suppressed": 1}


def test_what_the_callback_raises_is_swallowed_and_counted(clock):
    def fail(error):
        raise RuntimeError("callback is broken")

    dispatch = OnError(fail, clock)
    assert dispatch(ERROR) is False
    assert counts(dispatch) == {"called": 1, "failed": 1, "suppressed": 0}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_passes_through_the_callback(stop, clock):
    def leave(error):
        raise stop

    dispatch = OnError(leave, clock)
    with pytest.raises(stop):
        dispatch(ERROR)
    with pytest.raises(stop):
        dispatch(OTHER)  # the guard against re-entrance was released
    assert counts(dispatch) == {"called": 2, "failed": 0, "suppressed": 0}


def test_a_callback_that_causes_errors_is_not_called_again(clock):
    def logs_again(error):
        assert dispatch(OTHER) is False

    dispatch = OnError(logs_again, clock)
    assert dispatch(ERROR) is True
    assert counts(dispatch) == {"called": 1, "failed": 0, "suppressed": 1}


async def an_async_callback(error):
    return None


@pytest.mark.parametrize(
    ("callback", "what"),
    [("print", "on_error is not callable"), (an_async_callback, "on_error is a coroutine function")],
)
def test_a_callback_that_could_never_run_is_a_configuration_error(callback, what):
    with pytest.raises(ConfigurationError, match=what) as caught:
        OnError(callback)
    assert caught.value.code == "callback-invalid"
