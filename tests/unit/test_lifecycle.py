"""The end of a process: every provider is flushed, whatever one of them does."""

import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from fapilog import _native, diagnostics, lifecycle
from fapilog.ledger import ExporterLedger, Ledger
from fapilog.testing import OtlpReceiver


class Provider:
    """Something to flush."""

    def __init__(self, finished: bool = True) -> None:
        self.finished, self.calls, self.pending = finished, 0, 0 if finished else 3

    def finish(self) -> bool:
        self.calls += 1
        return self.finished

    def ledger(self) -> Ledger:
        side = ExporterLedger(self.pending, 0, 0, {}, self.pending)
        return Ledger(self.pending, 0, {}, self.pending, 0, {"otlp": side})


class Stock:
    """Something to shut down."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.calls = error, 0

    def shutdown(self) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """The module's registers, empty; giving up is only noted."""
    noted = []
    monkeypatch.setattr(lifecycle, "_providers", set())
    monkeypatch.setattr(lifecycle, "_reported", [])
    monkeypatch.setattr(lifecycle, "_stock", [])
    monkeypatch.setattr(_native, "give_up_at_exit", lambda: noted.append("gave up"))
    before = signal.getsignal(signal.SIGTERM)
    yield noted
    signal.signal(signal.SIGTERM, before)


def test_every_provider_is_flushed_even_after_one_that_was_not_in_time():
    slow, quick = Provider(False), Provider()
    lifecycle.register(slow)
    lifecycle.register(quick)
    assert lifecycle.finish_all() is False
    assert (slow.calls, quick.calls) == (1, 1)


def test_at_exit_stock_providers_end_once_and_one_that_fails_is_said(capsys, clean):
    diagnostics._voice.forget()
    fine, broken, provider = Stock(), Stock(OSError("gone")), Provider()
    for stock in (fine, broken):
        lifecycle.shut_down_at_exit(stock, 5_000)
    lifecycle.register(provider)
    lifecycle._at_exit()
    lifecycle._at_exit()
    assert (fine.calls, broken.calls, provider.calls, clean) == (1, 1, 2, [])
    assert capsys.readouterr().err == (
        "fapilog: a provider failed: OSError: gone [stock-exporter]\n"
        "fapilog: spans or metrics were not delivered before the process ended [stock-exporter]\n"
    )


def test_a_stock_provider_that_was_shut_down_is_forgotten():
    stock = Stock()
    lifecycle.shut_down_at_exit(stock, 5_000)
    lifecycle.forget(stock)
    lifecycle.forget(stock)
    lifecycle._at_exit()
    assert stock.calls == 0


def test_when_time_runs_out_the_native_exit_handler_is_told_not_to_wait_again(clean):
    provider = Provider(False)
    lifecycle.register(provider)
    lifecycle._at_exit()
    assert clean == ["gave up"]


def test_a_second_exit_of_a_process_waits_only_for_what_came_after_the_first(clean):
    """A worker that multiprocessing spawned has its finalizers, then `atexit`."""
    provider = Provider(False)
    lifecycle.register(provider)
    lifecycle._at_exit()
    lifecycle._at_exit()
    assert (provider.calls, clean) == (1, ["gave up", "gave up"])
    provider.pending += 1
    lifecycle._at_exit()
    assert provider.calls == 2


def test_a_report_is_printed_for_providers_that_asked_for_one(capsys):
    lifecycle.report_at_exit(Provider())
    lifecycle._at_exit()
    assert (
        capsys.readouterr().err == "fapilog: offered 0 = filtered 0 + accepted 0\n"
        "otlp: accepted 0 = delivered 0 + rejected 0 + pending 0\n"
    )


@pytest.mark.parametrize(
    ("before", "replaced"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False), (print, False)]
)
def test_sigterm_is_handled_only_if_nobody_else_does(before, replaced):
    signal.signal(signal.SIGTERM, before)
    lifecycle.register(Provider())
    assert (signal.getsignal(signal.SIGTERM) is lifecycle._on_sigterm) is replaced


def test_another_thread_leaves_sigterm_alone():
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    thread = threading.Thread(target=lifecycle.register, args=(Provider(),))
    thread.start()
    thread.join(5)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_on_sigterm_everything_is_flushed_and_the_process_ends_by_the_signal(monkeypatch):
    killed, provider = [], Provider()
    monkeypatch.setattr(os, "kill", lambda pid, number: killed.append((pid, number)))
    lifecycle.register(provider)
    lifecycle._on_sigterm(signal.SIGTERM, None)
    assert (killed, provider.calls) == ([(os.getpid(), signal.SIGTERM)], 1)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_what_is_lost_by_sigterm_is_said_because_no_exit_handler_follows(monkeypatch, capsys):
    diagnostics._voice.forget()
    monkeypatch.setattr(os, "kill", lambda *_: None)
    provider = Provider(finished=False)
    lifecycle.register(provider)
    lifecycle._on_sigterm(signal.SIGTERM, None)
    said = "fapilog: 3 records were not delivered before the process ended. [records-lost]\n"
    assert capsys.readouterr().err == said


def test_what_is_lost_is_said_too_where_a_server_ended_first_and_the_signal_follows(monkeypatch, capsys):
    diagnostics._voice.forget()
    monkeypatch.setattr(os, "kill", lambda *_: None)
    monkeypatch.setattr(_native, "begin_exit", lambda: None)
    monkeypatch.setattr(lifecycle, "_terminated", True)
    lifecycle.register(Provider(finished=False))
    lifecycle._at_normal_exit()
    said = "fapilog: 3 records were not delivered before the process ended. [records-lost]\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("child", [True, False])
def test_a_multiprocessing_child_flushes_in_its_own_finalizer(monkeypatch, child):
    made = []
    util = SimpleNamespace(Finalize=lambda *arguments, **options: made.append((arguments, options)))
    process = SimpleNamespace(parent_process=lambda: "parent" if child else None)
    monkeypatch.setitem(sys.modules, "multiprocessing.util", util)
    monkeypatch.setitem(sys.modules, "multiprocessing.process", process)
    lifecycle.register(Provider())
    wanted = [((None, lifecycle._at_child_exit), {"exitpriority": 100})]
    assert made == (wanted if child else [])


def test_a_forked_child_registers_its_finalizer_once_multiprocessing_has_cleared_them(monkeypatch):
    hooks, made = [], []
    util = SimpleNamespace(
        register_after_fork=lambda anchor, hook: hooks.append((anchor, hook)),
        Finalize=lambda *arguments, **options: made.append((arguments, options)),
    )
    monkeypatch.setitem(sys.modules, "multiprocessing.util", util)
    lifecycle._after_fork_in_child()
    [(anchor, hook)] = hooks
    hook(anchor)
    assert made == [((None, lifecycle._at_child_exit), {"exitpriority": 100})]
    monkeypatch.delitem(sys.modules, "multiprocessing.util")
    lifecycle._after_fork_in_child()
    assert len(hooks) == 1


ENDINGS = {
    "returns": ("", 0),
    "exits": ("raise SystemExit(3)", 3),
    "raises": ("raise ValueError('v')", 1),
    "sigterm": ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_process_delivers_its_last_record_however_it_ends(ending):
    code, status = ENDINGS[ending]
    script = (
        "import fapilog\n"
        "fapilog.configure_otel('a', exporters=['otlp'], exit_report=True, otlp={'timeout_millis': 5000})\n"
        f"fapilog.get_logger('shop').info('last words')\n{code}\n"
    )
    with OtlpReceiver() as receiver:
        environ = {
            **os.environ,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
        }
        child = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            env=environ,
            timeout=60,
            check=False,
        )
        bodies = [record.body for record in receiver.log_records]
    assert child.returncode == status
    assert bodies[:1] == ["last words"]
    assert "fapilog: offered 1 = filtered 0 + accepted 1\notlp: accepted 1 = delivered 1 " in child.stderr
