"""The exporters `file`, `otlp/stdout`, `otlp/stderr`: what stands there, however a process ends."""

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber

import fapilog
from fapilog.testing import ReceivedLogRecord
from tests.integration.harness import NOW, finish, records_in, run, start

# For programs that send nothing.
NOWHERE = "http://127.0.0.1:1/v1/logs"


def files_of(path: Path) -> list[Path]:
    """The file and the complete ones, in the order of their records."""
    complete = [each for each in path.parent.iterdir() if each.name.startswith(f"{path.stem}-")]
    return [*sorted(complete), path]


def text_of(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode()


def output_of(process: subprocess.CompletedProcess[str]) -> str:
    """What a program printed; it must have ended well."""
    assert process.returncode == 0, process.stderr
    return process.stdout


@pytest.fixture
def provider_to() -> Iterator[Any]:
    """Makes providers that write to files, shut down at the end."""
    made: list[fapilog.LoggerProvider] = []

    def make(buffer: dict[str, Any] | None = None, **file: Any) -> fapilog.LoggerProvider:
        settings = fapilog.Settings.load(environ={}, capture_location="never", file=file, buffer=buffer or {})
        made.append(fapilog.LoggerProvider(settings=settings, exporters=["file"]))
        made[-1].pipeline.fix_clock(NOW)
        return made[-1]

    yield make
    for provider in made:
        provider.shutdown()
        assert provider.ledger().balanced


def test_a_flushed_record_stands_in_the_file_with_resource_and_scope(
    provider_to: Any, tmp_path: Path
) -> None:
    path = tmp_path / "logs" / "app.jsonl"
    provider = provider_to(path=path)
    provider.get_logger("orders", "1.2").emit(
        body="placed", timestamp=NOW, severity_text="INFO", attributes={"data": b"\x00", "none": None}
    )
    assert provider.force_flush()
    assert records_in(path.read_text()) == [
        ReceivedLogRecord(
            time_unix_nano=NOW,
            observed_time_unix_nano=NOW,
            severity_text="INFO",
            body="placed",
            attributes={"data": b"\x00", "none": None, "fapilog.sequence": 0},
            scope_name="orders",
            scope_version="1.2",
            resource=dict(provider.resource.attributes),
        )
    ]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    side = provider.ledger().exporters["file"]
    assert (side.delivered, side.pending) == (1, 0)


def test_a_file_gets_its_records_in_batches(provider_to: Any, tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    provider = provider_to(path=path, buffer={"schedule_delay_millis": 3_600_000})
    for number in range(3):
        provider.get_logger("orders").emit(body=number)
        assert records_in(path.read_text() if path.exists() else "") == []
    assert provider.force_flush()
    assert [record.body for record in records_in(path.read_text())] == [0, 1, 2]
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (
            "logfmt",
            r'time=2023-11-14T22:13:20\.123456789Z level=info logger=orders msg="a\\nb" fapilog.sequence=0',
        ),
        ("minimal", r"INFO a\\nb"),
        ("pretty", r"22:13:20\.123Z INFO  orders  a\\nb"),
        ("json", r'\{"timestamp":"2023-11-14T22:13:20\.123456789Z",.*"body":"a\\nb".*\}'),
    ],
)
def test_a_console_style_is_one_line_for_each_record(
    provider_to: Any, tmp_path: Path, form: str, line: str
) -> None:
    path = tmp_path / "app.log"
    provider = provider_to(path=path, form=form)
    provider.get_logger("orders").emit(
        body="a\nb", timestamp=NOW, severity_text="INFO", severity_number=SeverityNumber.INFO
    )
    assert provider.force_flush()
    assert re.fullmatch(f"{line}\n", path.read_text())


def test_several_processes_share_a_path_while_it_rotates(tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    writers = [
        start("file_writer.py", NOWHERE, str(path), str(number), "300", FAPILOG_FILE_KEEP_FILES="1000")
        for number in range(3)
    ]
    assert [output_of(finish(writer)) for writer in writers] == ["300\n"] * 3
    texts = [text_of(each) for each in files_of(path)]
    assert len(texts) > 5
    assert max(map(len, texts)) <= 20_000
    found = [record.attributes for text in texts for record in records_in(text)]
    for number in range(3):
        own = [record["number"] for record in found if record["writer"] == number]
        assert own == list(range(300))


def test_a_full_disk_tears_no_line_and_loses_no_record(tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    ended = run("full_disk.py", NOWHERE, str(path))
    assert output_of(ended).splitlines() == ["True True 50 True", "True 50"]
    assert [record.attributes["number"] for record in records_in(path.read_text())] == list(range(50))
    assert (
        f"cannot deliver to file {path} (cannot write to {path}: File too large (os error 27))"
        in ended.stderr
    )
    assert f"file {path} answers again after" in ended.stderr


def test_a_killed_process_leaves_whole_lines_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    process = start("file_writer.py", NOWHERE, str(path), "0", "0")
    assert [process.stdout.readline() for _ in range(3)] == ["flushed\n"] * 3
    process.kill()
    finish(process)
    with path.open("ab") as file:
        file.write(b'{"resourceLogs":[{"torn')
    assert output_of(run("file_writer.py", NOWHERE, str(path), "1", "3")) == "3\n"
    lines = [line for each in files_of(path) for line in text_of(each).splitlines()]
    broken = [line for line in lines if not _is_json(line)]
    assert broken == ['{"resourceLogs":[{"torn']


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_a_path_that_cannot_be_a_log_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    link = tmp_path / "link.jsonl"
    link.symlink_to(tmp_path / "target")
    settings = fapilog.Settings.load(environ={"FAPILOG_FILE_PATH": str(link)}, exporters=["file"])
    with pytest.raises(fapilog.ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=settings)
    assert str(caught.value) == (
        f"log file {link} cannot be opened: it is a symbolic link, which is not followed [setting-invalid]\n"
        "  do: name a regular file in a folder that this process may write to\n"
        "  see: docs/reference/errors.md#setting-invalid"
    )
    assert (tmp_path / "target").read_text() == "mine"


def test_the_exporter_without_a_path_says_what_to_set() -> None:
    settings = fapilog.Settings.load(environ={}, exporters=["file"])
    with pytest.raises(fapilog.ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=settings)
    assert (caught.value.code, caught.value.remedy) == (
        "file-path-missing",
        "set file.path (FAPILOG_FILE_PATH)",
    )


def test_a_relative_path_stays_where_it_was_when_the_folder_changes(
    provider_to: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    provider = provider_to(path="app.jsonl")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "app.jsonl").unlink()
    provider.get_logger("orders").emit(body="kept")
    assert provider.force_flush()
    assert len(records_in((tmp_path / "app.jsonl").read_text())) == 1


def test_a_forked_child_appends_to_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "app.jsonl"
    output_of(run("file_fork.py", NOWHERE, str(path)))
    assert sorted(record.body for record in records_in(path.read_text())) == ["before", "child", "parent"]


def test_otlp_stdout_is_lines_of_the_specification_flushed_at_the_end() -> None:
    ended = run("otlp_stdout.py", NOWHERE, FAPILOG_EXPORTERS="", OTEL_LOGS_EXPORTER="otlp/stdout")
    lines = output_of(ended).splitlines(keepends=True)
    ours = [line for line in lines if line != "application\n"]
    assert len(lines) == len(ours) + 1
    assert [(record.body, record.attributes.get("text")) for record in records_in("".join(ours))] == [
        ("placed", "a\nb\x1b"),
        ("last", None),
    ]


@pytest.mark.parametrize("output", ["stdout", "stderr"])
def test_each_output_has_its_own_exporter_and_side_of_the_ledger(
    capfd: pytest.CaptureFixture[str], output: str
) -> None:
    settings = fapilog.Settings.load(environ={}, capture_location="never")
    with fapilog.LoggerProvider(settings=settings, exporters=[f"otlp/{output}"]) as provider:
        provider.get_logger("orders").emit(body="placed")
        assert provider.force_flush()
        written = capfd.readouterr()._asdict()
        texts = {"stdout": written["out"], "stderr": written["err"]}
        assert [record.body for record in records_in(texts.pop(output))] == ["placed"]
        assert list(texts.values()) == [""]
        side = provider.ledger().exporters[f"otlp/{output}"]
        assert (side.delivered, side.pending) == (1, 0)
