"""No secret of any type leaves by any carrier through any exporter; without redaction all of them are seen.

The short matrix logs all types by all carriers at once and looks at the bytes of each exporter. The long one
takes the carriers one by one, so that a failure names its cell.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration import leaks
from tests.integration.leaks import Keeps, Secret, carriers, files_below, log_all, seen, telemetry, unpacked
from tests.servers.http_receiver import HttpReceiver, Reply

SECRETS = leaks.secrets()
MODES = ("scan", "keys")
PAUSES = {"initial_backoff_millis": 1, "max_backoff_millis": 10}
# compression, form of files, style of lines, form of posts
ROUNDS = (
    ("gzip", "otlp_json", "pretty", "otlp_json"),
    ("zstd", "json", "json", "json"),
    ("none", "logfmt", "logfmt", "json"),
    ("none", "pretty", "minimal", "json"),
)
# Shows the message alone.
BODY_ONLY = {"minimal"}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")


@pytest.fixture
def ways() -> Iterator[Any]:
    """Logs what it is told to, and answers what each exporter sent or wrote, by name."""
    with ExitStack() as stack:
        yield lambda *arguments, **named: through_exporters(stack, *arguments, **named)


def resource(secrets: list[Secret]) -> dict[str, str]:
    return {f"note.{at}": secret.text for at, secret in enumerate(secrets)}


def through_exporters(
    stack: ExitStack, mode: str, forms: tuple[str, str, str, str], folder: Path, only: str | None = None
) -> dict[str, bytes]:
    """All secrets by all carriers, or by one, through every exporter that sends or writes at once."""
    compression, form, style, hook = forms
    otlp, posted = (stack.enter_context(HttpReceiver()) for _ in range(2))
    keeps = Keeps()
    with telemetry(
        redaction=mode,
        exporters=["otlp", "file", "console", "otlp/stdout", "webhook", keeps],
        otlp={"endpoint": otlp.url, "compression": compression, "retry": PAUSES},
        file={"path": folder / "log", "form": form},
        console={"style": style, "colour": "never"},
        webhook={"url": posted.url, "form": hook},
        resource=resource(SECRETS),
    ) as running:
        chosen = carriers()
        log_all(SECRETS, {only: chosen[only]} if only else chosen)
        assert running.force_flush(30_000)
    return {
        f"otlp {compression}": b"".join(
            unpacked(post.body, post.headers.get("content-encoding", "")) for post in otlp.posts
        ),
        f"file {form}": files_below(folder),
        f"webhook {hook}": b"".join(
            unpacked(post.body, post.headers.get("content-encoding", "")) for post in posted.posts
        ),
        "python": keeps.bytes,
    }


def expected(mode: str) -> set[str]:
    """The types that are seen: none, or all."""
    return set() if mode == "scan" else {secret.type for secret in SECRETS} - leaks.ALWAYS_HIDDEN


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("forms", ROUNDS, ids="-".join)
def test_no_exporter_sends_or_writes_a_secret_of_any_type(
    ways: Any, mode: str, forms: tuple[str, str, str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sent = ways(mode, forms, tmp_path)
    out, err = capfd.readouterr()
    sent |= {"otlp/stdout": out.encode(), f"console {forms[2]}": err.encode()}
    assert all(len(data) > 1_000 for data in sent.values())
    found = {name: seen(data, SECRETS) for name, data in sent.items()}
    if mode == "scan":
        assert {name: hits for name, hits in found.items() if hits} == {}
    else:
        assert {
            name: missing for name, hits in found.items() if (missing := expected(mode) - set(hits))
        } == {}


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_on_disk_while_the_receiver_is_away(mode: str, tmp_path: Path) -> None:
    """The crash ring before anything is sealed, then the spool."""
    spool, ring = tmp_path / "spool", tmp_path / "ring"
    with telemetry(
        end_millis=500,
        redaction=mode,
        exporters=["otlp"],
        otlp={"endpoint": "http://127.0.0.1:9/v1/logs", "compression": "none", "retry": PAUSES},
        buffer={"schedule_delay_millis": 3_600_000, "shutdown_timeout_millis": 200},
        spool={"directory": spool},
        ring={"directory": ring},
        durability="process",
        resource=resource(SECRETS),
    ) as running:
        log_all(SECRETS, carriers())
        on_disk = {"ring": files_below(ring)}
        running.force_flush(500)
    on_disk["spool"] = files_below(spool)
    assert {name: expected(mode) - set(seen(data, SECRETS)) for name, data in on_disk.items()} == {
        "ring": set(),
        "spool": set(),
    }
    if mode == "scan":
        assert {name: seen(data, SECRETS) for name, data in on_disk.items()} == {"ring": {}, "spool": {}}


@pytest.mark.parametrize("mode", MODES)
def test_no_secret_is_among_the_dead_letters(mode: str, tmp_path: Path) -> None:
    letters = tmp_path / "letters" / "dead.jsonl"
    with ExitStack() as stack:
        receiver = stack.enter_context(HttpReceiver(choose=lambda post: Reply(400)))
        refused = telemetry(
            redaction=mode,
            exporters=["otlp"],
            otlp={"endpoint": receiver.url, "retry": PAUSES},
            delivery={"dead_letters": letters},
            resource=resource(SECRETS),
        )
        running = stack.enter_context(refused)
        log_all(SECRETS, carriers())
        running.force_flush(30_000)
    found = seen(files_below(letters.parent), SECRETS)
    if mode == "scan":
        assert found == {}
    else:
        assert expected(mode) - set(found) == set()


def test_the_matrix_has_nearly_every_type_of_the_corpus() -> None:
    assert len(SECRETS) >= 60
    assert all(secret.needle in secret.text for secret in SECRETS)


@pytest.mark.long
@pytest.mark.parametrize("carrier", list(carriers()))
@pytest.mark.parametrize("forms", ROUNDS, ids="-".join)
def test_no_exporter_leaks_a_secret_of_one_carrier(
    ways: Any,
    forms: tuple[str, str, str, str],
    carrier: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sent = ways("scan", forms, tmp_path, only=carrier)
    out, err = capfd.readouterr()
    sent |= {"otlp/stdout": out.encode(), f"console {forms[2]}": err.encode()}
    assert {name: hits for name, data in sent.items() if (hits := seen(data, SECRETS))} == {}
