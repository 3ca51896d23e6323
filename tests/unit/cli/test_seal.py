"""`fapilog seal`: a pair of keys, values that only the private one opens, and every change found."""

import base64
import json
import re
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fapilog
from fapilog.cli.main import app
from fapilog.settings import Settings

CARD = "4111 1111 1111 1111"


def run(*arguments: object, given: str | None = None) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["seal", *map(str, arguments)], input=given)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def private(tmp_path: Path) -> Path:
    path = tmp_path / "seal.key"
    code, public, _ = run("new-key", path)
    assert code == 0
    (tmp_path / "seal.pub").write_text(public)
    return path


def sealed_line(tmp_path: Path, form: str = "otlp_json") -> str:
    """A line of a file with one record, in which a card number and an address were sealed."""
    file = tmp_path / f"{form}.jsonl"
    settings = Settings.load(
        environ={},
        file={"path": file, "form": form},
        redaction={
            "mode": "scan",
            "actions": {"PAN": "seal", "EMAIL": "seal"},
            "seal_to": (tmp_path / "seal.pub").read_text(),
        },
    )
    with fapilog.LoggerProvider(settings=settings, exporters=["file"]) as provider:
        attributes = {"user": {"email": "ann@example.org"}}
        provider.get_logger("shop").emit(body=f"paid with {CARD}", attributes=attributes)
        assert provider.force_flush(10_000)
    line = file.read_text()
    assert CARD not in line
    assert "ann@example.org" not in line
    return line


def attributes(line: str) -> dict[str, object]:
    (resource,) = json.loads(line)["resourceLogs"]
    (scope,) = resource["scopeLogs"]
    return {each["key"]: each["value"] for each in scope["logRecords"][0]["attributes"]}


def test_a_new_key_is_for_its_owner_alone_and_overwrites_nothing(private: Path, tmp_path: Path):
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    public = (tmp_path / "seal.pub").read_text().strip()
    assert len(base64.b64decode(public)) == 32
    assert public not in private.read_text()
    before = private.read_text()
    code, out, err = run("new-key", private)
    assert (code, out) == (1, "")
    assert "cannot be written: File exists. Name a file that does not exist yet" in err
    assert private.read_text() == before


def test_records_are_written_again_with_what_was_sealed_in_them(private: Path, tmp_path: Path):
    line = sealed_line(tmp_path)
    code, out, err = run("open", tmp_path / "otlp_json.jsonl", "--key", private)
    assert (code, err) == (0, "")
    opened = attributes(out)["fapilog.opened"]
    texts = [
        {pair["key"]: pair["value"]["stringValue"] for pair in entry["kvlistValue"]["values"]}
        for entry in opened["arrayValue"]["values"]  # type: ignore[index]
    ]
    assert texts == [
        {"path": "body", "type": "PAN", "value": CARD},
        {"path": "user.email", "type": "EMAIL", "value": "ann@example.org"},
    ]
    expected = attributes(line)
    del expected["fapilog.sealed"]
    assert {key: value for key, value in attributes(out).items() if key != "fapilog.opened"} == expected


def test_plain_json_lines_are_read_too_from_a_pipe_into_a_private_file(private: Path, tmp_path: Path):
    entries = [
        each["stringValue"]
        for each in attributes(sealed_line(tmp_path))["fapilog.sealed"]["arrayValue"]["values"]
    ]
    lines = "\n".join(
        json.dumps(each)
        for each in (
            {"message": "x"},
            {"attributes": {"fapilog.sealed": entries}},
            {"fapilog.sealed": json.dumps(entries)},
        )
    )
    target = tmp_path / "opened"
    assert run("open", "-", "--key", private, "--output", target, given=f"{lines}\n\n") == (0, "", "")
    values = [
        {"path": "body", "type": "PAN", "value": CARD},
        {"path": "user.email", "type": "EMAIL", "value": "ann@example.org"},
    ]
    assert [json.loads(line) for line in target.read_text().splitlines()] == [
        {"message": "x"},
        {"attributes": {"fapilog.opened": values}},
        {"fapilog.opened": values},
    ]
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    code, _, err = run("open", "-", "--key", private, "--output", target, given="")
    assert (code, "File exists" in err) == (1, True)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (".PAN.", ".IBAN.", "line 2: sealed value 1 was changed, or belongs to another record"),
        ('.body"', '.header"', "line 2: sealed value 1 was changed, or belongs to another record"),
        (".PAN.", ".P-N.", "line 2: sealed value 1 is damaged or was cut"),
        (
            '"fapilog.sealed","value":{"arrayValue"',
            '"fapilog.sealed","value":{"x"',
            "is no list of sealed values",
        ),
        ("{", "", "line 2 is not JSON"),
    ],
)
def test_what_was_changed_ends_it_and_is_not_written(
    private: Path, tmp_path: Path, old: str, new: str, said: str
):
    line = sealed_line(tmp_path)
    changed = line.replace(old, new, 1)
    assert changed != line
    code, out, err = run("open", "-", "--key", private, given=f'{{"a":1}}\n{changed}')
    assert (code, out.splitlines()) == (1, ['{"a": 1}'])
    assert said in err
    assert CARD not in out + err


def test_a_changed_nonce_ends_it(private: Path, tmp_path: Path):
    line = sealed_line(tmp_path)
    [sealed] = re.findall(r"\.PAN\.[\w-]{107}\.([\w-]+)\.body", line)
    changed = line.replace(sealed, ("B" if sealed[0] == "A" else "A") + sealed[1:])
    code, out, err = run("open", "-", "--key", private, given=changed)
    assert (code, out) == (1, "")
    assert "line 1: sealed value 1 was changed" in err


def test_another_key_is_told_by_its_id(private: Path, tmp_path: Path):
    line = sealed_line(tmp_path)
    other = tmp_path / "other.key"
    run("new-key", other)
    code, out, err = run("open", "-", "--key", other, given=line)
    assert (code, out) == (1, "")
    assert "line 1: sealed value 1 was sealed to key " in err


def test_a_private_key_that_others_may_read_or_that_is_none_is_refused(private: Path, tmp_path: Path):
    said = []
    private.chmod(0o640)
    (tmp_path / "seal.pub").chmod(0o600)
    for path in (private, tmp_path / "seal.pub", tmp_path / "nowhere"):
        code, _, err = run("open", "-", "--key", path, given="")
        said.append((code, err.strip()))
    assert said == [
        (1, f"others may read or change {private} (mode 0640); chmod 600 it"),
        (1, f"{tmp_path}/seal.pub is no private key of `fapilog seal new-key`"),
        (1, f"{tmp_path}/nowhere cannot be read: No such file or directory"),
    ]
