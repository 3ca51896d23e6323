"""`fapilog redact`: texts and files without what a policy hides, why, and what another policy would hide."""

import json

import pytest
from typer.testing import CliRunner

from fapilog.cli import redact as command
from fapilog.cli.main import app
from fapilog.redaction import lines

CARD = "4111 1111 1111 1111"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("FAPILOG_REDACTION", "FAPILOG_COMPLIANCE", "FAPILOG_SECRET_KEYS"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments, **options):
    return CliRunner().invoke(app, ["redact", *arguments], **options)


def test_a_text_is_printed_without_what_is_hidden():
    result = run("--try", f"paid with {CARD} by ann@example.org")
    assert (result.exit_code, result.stdout) == (0, "paid with [REDACTED:pan] by [REDACTED:email]\n")
    assert result.stderr == "policy: scan, because the settings choose no mode\n"


def test_the_settings_decide_when_they_say_something(monkeypatch):
    monkeypatch.setenv("FAPILOG_REDACTION", "keys")
    assert run("--try", CARD).stdout == f"{CARD}\n"
    assert (
        run("--try", '{"password": "x", "note": "y"}').stdout
        == '{"password":"[REDACTED:secret]","note":"y"}\n'
    )


def test_explain_tells_path_type_rule_reason_and_action_and_not_the_value():
    result = run(
        "--try",
        json.dumps({"a": CARD, "user.ssn": "536221034", "password": "hunter2"}),
        "--explain",
        "--json",
    )
    told = json.loads(result.stdout)
    assert [(each["path"], each["type"], each["action"], each["instead"]) for each in told["findings"]] == [
        ("a", "PAN", "remove", "[REDACTED:pan]"),
        ("user.ssn", "US_SSN", "remove", "[REDACTED:ssn]"),
        ("password", "SECRET_KEY", "remove", "[REDACTED:secret]"),
    ]
    reasons = [each["why"] for each in told["findings"]]
    assert reasons[0].endswith("here the value alone")
    assert reasons[1].endswith("here the key 'user.ssn'")
    assert not any(value in result.output for value in (CARD, "536221034", "hunter2"))


def test_explain_names_the_word_that_spoke_for_a_value():
    told = run("--try", "the pesel of the tester: 44051401359", "--explain").stdout
    assert "PL_PESEL (pl.pesel)" in told
    assert "here the word 'pesel'" in told


def test_what_stands_there_is_told_for_each_of_several(monkeypatch):
    monkeypatch.setenv("FAPILOG_REDACTION", "scan")
    monkeypatch.setenv("FAPILOG_REDACTION_ACTIONS", "PAN=truncate:0:4")
    told = json.loads(run("--try", f"{CARD} and ann@example.org", "--explain", "--json").stdout)
    assert [(each["action"], each["instead"]) for each in told["findings"]] == [
        ("truncate:0:4", "[REDACTED:pan:1111]"),
        ("remove", "[REDACTED:email]"),
    ]


def otlp(body, **attributes):
    pairs = [{"key": key, "value": value} for key, value in attributes.items()]
    record = {"timeUnixNano": "1764403200123456789", "traceId": "4bf92f3577b34da6a3ce929d0e0e4736"}
    record |= {"body": body, "attributes": pairs}
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [record]}]}]}


def test_lines_of_a_file_are_redacted_each_in_its_own_form(tmp_path):
    given = [
        '{"a": 1,   "b": 1.50, "c": null}',
        f"plain {CARD}",
        json.dumps({"card": {"number": CARD}, "password": "x", "n": 4111111111111111}),
        json.dumps(["ann@example.org", 1]),
        "",
        '{"broken": ',
        json.dumps(otlp({"stringValue": CARD}, n={"intValue": "4111111111111111"}, ok={"intValue": "7"})),
    ]
    (tmp_path / "log").write_text("\n".join(given) + "\n")
    result = run(str(tmp_path / "log"), "--output", str(tmp_path / "out"))
    assert (result.exit_code, result.stdout) == (0, "")
    out = (tmp_path / "out").read_text().split("\n")
    assert out[0] == given[0]
    assert out[1] == "plain [REDACTED:pan]"
    assert json.loads(out[2]) == {
        "card": {"number": "[REDACTED:pan]"},
        "password": "[REDACTED:secret]",
        "n": "[REDACTED:pan]",
    }
    assert json.loads(out[3]) == ["[REDACTED:email]", 1]
    assert out[4:6] == ["", '{"broken": ']
    expected = otlp(
        {"stringValue": "[REDACTED:pan]"}, n={"stringValue": "[REDACTED:pan]"}, ok={"intValue": "7"}
    )
    assert json.loads(out[6]) == expected
    assert out[7:] == [""]


@pytest.mark.parametrize(
    "body",
    [
        {"kvlistValue": {"values": [{"key": "card", "value": {"stringValue": CARD}}]}},
        {"arrayValue": {"values": [{"stringValue": CARD}]}},
        {"bytesValue": "NDExMSAxMTExIDExMTEgMTExMQ=="},
        {"intValue": "4111111111111111"},
    ],
)
def test_any_body_of_otlp_is_redacted(tmp_path, body):
    (tmp_path / "log").write_text(json.dumps(otlp(body)))
    out = run(str(tmp_path / "log")).stdout
    assert CARD not in out
    assert body != json.loads(out)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]


def test_a_name_that_stands_twice_hides_nothing(tmp_path):
    (tmp_path / "log").write_text(f'{{"a": "{CARD}", "a": "x"}}\n')
    assert run(str(tmp_path / "log")).stdout == '{"a":"x"}\n'


def test_standard_input_is_read():
    assert run("-", input="mail ann@example.org\r\nok").stdout == "mail [REDACTED:email]\nok\n"


def test_a_file_is_explained_by_counts_on_standard_error(tmp_path):
    (tmp_path / "log").write_text(f'{{"a": "{CARD}"}}\n' * 3)
    result = run(str(tmp_path / "log"), "--explain", "--json")
    told = json.loads(result.stderr.partition("\n")[2])
    assert told == [{"path": "a", "type": "PAN", "rule": "pan.luhn", "action": "remove", "count": 3}]
    assert result.stdout == '{"a":"[REDACTED:pan]"}\n' * 3


def test_a_line_that_is_too_long_is_not_printed_unscanned(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 64)
    (tmp_path / "log").write_text(f"{'x' * 200} {CARD}\nnext\n{'y' * 64}\n")
    result = run(str(tmp_path / "log"))
    assert (result.exit_code, result.stdout) == (1, f"[REDACTED:unscanned]\nnext\n{'y' * 64}\n")
    assert "1 lines are longer" in result.stderr


def test_two_policies_are_compared_by_counts_of_type_and_path(tmp_path, monkeypatch):
    rows = [{"mail": "ann@example.org", "password": "x", "ip": "203.0.113.9"}, {"mail": "bob@example.org"}]
    (tmp_path / "log").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "other.yaml").write_text("redaction:\n  mode: scan\n  actions: {EMAIL: keep}\n")
    result = run(str(tmp_path / "log"), "--shadow", str(tmp_path / "other.yaml"), "--json")
    first, second = json.loads(result.stdout)
    assert first["only"] == [{"what": "EMAIL mail", "count": 2}]
    assert second == {"policy": str(tmp_path / "other.yaml"), "only": []}
    keys = run(str(tmp_path / "log"), "--shadow", "keys").stdout
    assert "2  EMAIL mail" in keys
    assert "only keys: 0" in keys
    assert "example.org" not in result.output + keys


def test_a_profile_may_be_a_file(tmp_path):
    (tmp_path / "house.toml").write_text(
        'schema = 1\nname = "house"\nversion = "1"\ntitle = "t"\nstandard = "1"\npublished = 2026-01-01\n'
        'updated = 2026-01-01\nsummary = "s"\n[actions]\nPAN = { do = "truncate:0:4", clause = "1" }\n'
        '[[clauses]]\nid = "1"\nasks = "a"\nmechanism = "m"\ntest = "t"\ncannot = "c"\n'
    )
    result = run("--try", CARD, "--profile", str(tmp_path / "house.toml"))
    assert result.stdout == "[REDACTED:pan:1111]\n"


def test_wrong_usage_is_refused(tmp_path):
    (tmp_path / "log").write_text("x\n")
    both = run("--try", "x", str(tmp_path / "log"))
    same = run(str(tmp_path / "log"), "--output", str(tmp_path / "log"))
    missing = run(str(tmp_path / "missing"))
    assert [each.exit_code for each in (run(), both, same, missing)] == [2, 2, 2, 1]
    assert (tmp_path / "log").read_text() == "x\n"


def test_rows_of_a_summary_are_bounded(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "_MOST_ROWS", 2)
    rows = [json.dumps({f"k{number}": CARD}) for number in range(4)]
    (tmp_path / "log").write_text("\n".join(rows))
    told = json.loads(run(str(tmp_path / "log"), "--explain", "--json").stderr.partition("\n")[2])
    assert sorted((row["path"], row["count"]) for row in told) == [("(others)", 2), ("k0", 1), ("k1", 1)]


def test_an_output_that_exists_goes_with_standard_input(tmp_path):
    output = tmp_path / "out"
    output.write_text("old")
    assert run("-", "--output", str(output), input=f"{CARD}\n").exit_code == 0
    assert output.read_text() == "[REDACTED:pan]\n"
    assert run(str(tmp_path / "none"), "--output", str(output)).exit_code == 1
    assert run(str(output), "--output", str(output)).exit_code == 2


def test_half_characters_and_values_that_are_none_of_otlp_do_not_end_the_run(tmp_path):
    file = tmp_path / "lines"
    file.write_text(
        '{"a":"\\ud800 ann@example.org"}\n'
        '{"resourceLogs":[{"resource":{"attributes":[{"key":"a","value":"ann@example.org"}]}}]}\nok\n'
    )
    result = run(str(file), "--explain")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "ok")
    assert (len(result.stdout.splitlines()), "ann@" in result.output) == (3, False)


@pytest.mark.parametrize(
    "command", ["redact --try x", "inventory FILE", "controls test", "redact --try x --shadow"]
)
def test_profiles_can_be_named_with_commas(command, tmp_path):
    (tmp_path / "file").touch()
    words = command.replace("FILE", str(tmp_path / "file")).split()
    words += [] if words[-1] == "--shadow" else ["--profile"]
    result = CliRunner().invoke(app, [*words, "no-such-one, nor-this"])
    assert "the profile no-such-one is not installed" in str(result.exception)


def test_a_profile_option_that_names_none_is_refused():
    assert run("--try", "x", "--profile", " ,").exit_code == 2
