"""Argument before environment before file before default, and every value knows where it came from."""

import copy
import json
import pickle

import pytest

from fapilog.errors import ConfigurationError
from fapilog.settings import BufferSettings, OtlpSettings, Settings
from fapilog.settings.variables import ROWS


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fapilog.yaml"
    path.write_text("buffer: {limit_bytes: 2000001}\nlevel: error\n")
    return path


def test_an_argument_wins_over_environment_file_and_default(load, file):
    environ = {"FAPILOG_BUFFER_BYTES": "2000002"}
    settings = [
        load(),
        load(path=file),
        load(environ, path=file),
        load(environ, path=file, buffer={"limit_bytes": 2_000_003}),
    ]
    found = [(item.buffer.limit_bytes, item.origin("buffer.limit_bytes")) for item in settings]
    assert found == [
        (67_108_864, "default"),
        (2_000_001, str(file)),
        (2_000_002, "FAPILOG_BUFFER_BYTES"),
        (2_000_003, "argument"),
    ]


def test_settings_of_one_group_may_come_from_different_places(load, file):
    settings = load({"FAPILOG_OVERFLOW": "wait"}, path=file, buffer={"record_bytes": 1_000})
    assert settings.buffer == BufferSettings(limit_bytes=2_000_001, overflow="wait", record_bytes=1_000)


def test_a_mapping_is_taken_whole_from_one_place(load, tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"levels": {"a": "debug"}, "otlp": {"headers": {"x": "file"}}}))
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "y=env", "FAPILOG_LEVELS": "b=error"}
    settings = load(environ, path=path, levels={"c": "info"})
    assert {name: level.text for name, level in settings.levels.items()} == {"c": "INFO"}
    assert settings.otlp.header_pairs() == (("y", "env"),)


def test_an_earlier_variable_wins_over_a_later_one(load, notices):
    for row in ROWS.values():
        names = [variable.name for variable in row.variables]
        if len(names) > 1 and row.unit == "URL":
            settings = load(dict.fromkeys(names, "http://h:1"))
            assert settings.origin(row.name) == names[0]
    settings = load(
        {
            "FAPILOG_OTLP_TIMEOUT_MILLIS": "1",
            "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "2",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "a=logs",
            "OTEL_EXPORTER_OTLP_HEADERS": "b=all",
            "FAPILOG_EXPORTERS": "console",
            "OTEL_LOGS_EXPORTER": "otlp",
        }
    )
    assert (settings.otlp.timeout_millis, settings.otlp.header_pairs(), settings.exporters) == (
        1,
        (("a", "logs"),),
        ("console",),
    )


def test_an_empty_variable_counts_as_unset(load):
    environ = {variable.name: " " for row in ROWS.values() for variable in row.variables}
    assert load(environ) == load()


def test_a_wrong_value_that_a_higher_place_overrides_does_not_matter(load):
    assert load({"FAPILOG_OVERFLOW": "nonsense"}, buffer={"overflow": "wait"}).buffer.overflow == "wait"


def test_the_constructor_reads_the_environment_of_the_process(monkeypatch):
    monkeypatch.setenv("FAPILOG_CONSOLE_STYLE", "json")
    settings = Settings(console={"stream": "stdout"})
    assert (settings.console.style, settings.console.stream) == ("json", "stdout")
    assert (settings.origin("console.style"), settings.origin("console.stream")) == (
        "FAPILOG_CONSOLE_STYLE",
        "argument",
    )


def test_a_group_given_as_a_model_counts_with_what_was_set_in_it(load):
    settings = load({"FAPILOG_OTLP_MAX_IN_FLIGHT": "7"}, otlp=OtlpSettings(headers={"a": "secret"}))
    assert (settings.otlp.max_in_flight, settings.otlp.header_pairs()) == (7, (("a", "secret"),))


def test_a_dotted_name_is_an_argument_too(load):
    settings = load(**{"otlp.retry.max_backoff_millis": 5_000, "otlp": {"compression": "none"}})
    assert (settings.otlp.retry.max_backoff_millis, settings.otlp.compression) == (5_000, "none")
    assert settings.origin("otlp.retry.max_backoff_millis") == "argument"


def test_settings_are_frozen_to_the_bottom(load):
    settings = load(levels={"a": "debug"})
    attempts = [
        lambda: setattr(settings, "level", 1),
        lambda: setattr(settings.buffer, "limit_bytes", 1),
        lambda: settings.levels.update(a=1),
        lambda: settings.levels.__setitem__("a", 1),
    ]
    for attempt in attempts:
        with pytest.raises((ValueError, TypeError)):
            attempt()
    assert settings == load(levels={"a": "debug"})


def test_settings_can_be_copied_and_pickled_with_their_origins(load):
    settings = load({"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "FAPILOG_LEVELS": "a=debug"})
    for twin in (pickle.loads(pickle.dumps(settings)), copy.deepcopy(settings)):
        assert twin == settings
        assert twin.explain() == settings.explain()


def test_the_callers_mappings_are_left_alone(load):
    given = {"compression": "none"}
    load(**{"otlp": given, "otlp.max_in_flight": 2})
    assert given == {"compression": "none"}


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ".json"])
def test_a_file_is_read_by_its_suffix(load, tmp_path, suffix):
    path = tmp_path / f"settings{suffix}"
    path.write_text('{"exporters": ["otlp", "console"], "redaction": {"secret_keys": ["ssn"]}}')
    settings = load(path=str(path))
    assert (settings.exporters, settings.redaction.secret_keys) == (("otlp", "console"), ("ssn",))


def test_an_empty_file_sets_nothing(load, tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("# nothing yet\n")
    assert load(path=path) == load()


@pytest.mark.parametrize(
    ("name", "content", "code", "what"),
    [
        ("missing.yaml", None, "file-unreadable", "cannot be read: No such file or directory"),
        ("a.toml", "", "file-invalid", "its name does not end in .yaml, .yml or .json"),
        ("a.yaml", "a: [", "file-invalid", "line 1, column 5"),
        ("a.yaml", "a: !!python/object:os.system x", "file-invalid", "could not determine a constructor"),
        ("a.json", '{"password": hunter2}', "file-invalid", "Expecting value, line 1, column 14"),
        ("a.yaml", "- a\n- b\n", "file-invalid", "is not a mapping"),
        ("a.yaml", "1: a\n", "file-invalid", "is not a mapping of names"),
        ("a.json", b"\xff\xfe", "file-invalid", "it is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_names_it(load, tmp_path, name, content, code, what):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigurationError) as caught:
        load(path=path)
    assert caught.value.code == code
    assert what in str(caught.value)
    assert repr(str(path)) in str(caught.value)
    assert "hunter2" not in str(caught.value)
