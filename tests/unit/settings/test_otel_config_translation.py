"""A configuration file of OpenTelemetry as settings: what each section means, and where errors point."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fapilog import ConfigurationError, Settings, Severity, diagnostics
from fapilog.settings import LoggerRule
from fapilog.settings.otel_config_document import read, substitute

WHOLE = """\
file_format: "1.0"
disabled: false
resource:
  attributes_list: team=a,service.name=ignored
  attributes:
    - {name: service.name, value: orders}
    - {name: shard, value: 7, type: int}
    - {name: unset, value: null}
attribute_limits:
  attribute_count_limit: 99
  attribute_value_length_limit: 4096
logger_provider:
  limits:
    attribute_count_limit: 64
  logger_configurator/development:
    default_config: {minimum_severity: info}
    loggers:
      - {name: "urllib3.*", config: {enabled: false}}
      - {name: "shop.*", config: {minimum_severity: debug2, trace_based: true}}
  processors:
    - batch:
        schedule_delay: 500
        export_timeout: 0
        max_queue_size: 4096
        max_export_batch_size: null
        exporter:
          otlp_http:
            endpoint: https://collector:4318/v1/logs
            headers_list: a=1,b=2
            headers:
              - {name: b, value: secret}
            compression: none
            timeout: 3000
    - simple:
        exporter:
          console: {}
distribution:
  fapilog:
    redaction:
      secret_keys: [ssn]
    buffer:
      overflow: wait
    limits:
      attribute_count: 5
      depth: 7
"""


@pytest.fixture
def load(tmp_path: Path):
    def loaded(text: str, name: str = "otel.yaml", **environ: str) -> Settings:
        path = tmp_path / name
        path.write_text(text)
        return Settings.load(path, environ=environ)

    return loaded


def problems(load, text: str) -> list[tuple[str, str, str]]:
    """Code, name and origin of each problem; the folder of the file left out."""
    with pytest.raises(ConfigurationError) as caught:
        load(text)
    return [
        (problem.code, setting.name, setting.origin.rpartition("/")[2])
        for problem in caught.value.problems
        for setting in problem.settings
    ]


def test_every_section_about_logs_becomes_a_setting(load):
    settings = load(WHOLE)
    assert settings.exporters == ("otlp", "console")
    assert settings.service.name == "orders"
    assert settings.service.resource_attributes == {"team": "a", "service.name": "orders", "shard": "7"}
    assert (settings.limits.attribute_count, settings.limits.attribute_value_length) == (64, 4096)
    assert settings.limits.depth == 7
    assert settings.rules == (
        LoggerRule(pattern="urllib3.*", enabled=False),
        LoggerRule(pattern="shop.*", minimum_severity=Severity.DEBUG2, trace_based=True),
        LoggerRule(pattern="*", minimum_severity=Severity.INFO),
    )
    assert (settings.buffer.schedule_delay_millis, settings.buffer.max_queue_records) == (500, 4096)
    assert (settings.buffer.export_timeout_millis, settings.buffer.max_block_records) == (30_000, None)
    assert settings.buffer.overflow == "wait"
    assert settings.otlp.endpoint == "https://collector:4318/v1/logs"
    assert settings.otlp.header_pairs() == (("a", "1"), ("b", "secret"))
    assert (settings.otlp.compression, settings.otlp.timeout_millis) == ("none", 3000)
    assert settings.redaction.secret_keys == ("ssn",)


def test_each_value_remembers_its_line_and_its_keys(load, tmp_path):
    settings = load(WHOLE)
    prefix = f"{tmp_path}/otel.yaml"
    assert settings.origin("buffer.overflow") == f"{prefix}:42 (distribution.fapilog.buffer.overflow)"
    assert settings.origin("limits.attribute_count") == (
        f"{prefix}:14 (logger_provider.limits.attribute_count_limit)"
    )
    assert settings.origin("otlp.timeout_millis") == (
        f"{prefix}:33 (logger_provider.processors[0].batch.exporter.otlp_http.timeout)"
    )


def test_a_json_file_has_keys_and_no_lines(load, tmp_path):
    text = '{"file_format": "1.0", "distribution": {"fapilog": {"level": "${LEVEL}"}}}'
    settings = load(text, "otel.json", LEVEL="debug")
    assert settings.level is Severity.DEBUG
    assert settings.origin("level") == f"{tmp_path}/otel.json (distribution.fapilog.level)"


def test_arguments_and_variables_win_over_the_file_as_over_any_settings_file(load):
    assert load(WHOLE, FAPILOG_OVERFLOW="drop_newest").buffer.overflow == "drop_newest"


@pytest.mark.parametrize("kind", ["fapilog: {GIVEN}", "batch: {exporter: {fapilog: {GIVEN}}}"])
def test_settings_below_our_own_name_win_over_the_distribution(load, kind):
    given = "exporters: [console], buffer: {overflow: drop_newest}"
    entry = kind.replace("{GIVEN}", "{" + given + "}")
    text = f"{WHOLE}\n".replace(
        "    - simple:\n        exporter:\n          console: {}\n", f"    - {entry}\n"
    )
    settings = load(text)
    assert (settings.exporters, settings.buffer.overflow) == (("otlp", "console"), "drop_newest")


def test_our_name_alone_means_otlp(load):
    text = 'file_format: "1.1"\nlogger_provider: {processors: [{batch: {exporter: {fapilog: null}}}]}\n'
    assert load(text).exporters == ("otlp",)


def file_exporters(*options):
    lines = [f"    - simple: {{exporter: {{otlp_file/development: {option}}}}}" for option in options]
    return "\n".join(['file_format: "1.0"', "logger_provider:", "  processors:", *lines, ""])


@pytest.mark.parametrize("options", ["", "{}", "{output_stream: null}", "{output_stream: stdout}"])
def test_otlp_in_lines_goes_to_standard_output_by_default(load, options):
    settings = load(file_exporters(options))
    assert (settings.exporters, settings.file.path) == (("otlp/stdout",), None)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///var/log/app.jsonl", "/var/log/app.jsonl"),
        ("file://localhost/var/log/app.jsonl", "/var/log/app.jsonl"),
        ("file:/var/log/app.jsonl", "/var/log/app.jsonl"),
        ("FILE:///var/log/a%20b%3F.jsonl", "/var/log/a b?.jsonl"),
    ],
)
def test_otlp_in_lines_goes_to_the_file_of_its_uri_whatever_form_the_distribution_names(load, uri, path):
    text = file_exporters(f'{{output_stream: "{uri}"}}')
    settings = load(text + "distribution: {fapilog: {file: {form: pretty, max_bytes: 1000}}}\n")
    assert (settings.exporters, str(settings.file.path)) == (("file",), path)
    assert (settings.file.form, settings.file.max_bytes) == ("otlp_json", 1_000)
    assert settings.origin("file.path").endswith(
        "otel.yaml:4 (logger_provider.processors[0].simple.exporter.otlp_file/development.output_stream)"
    )


@pytest.mark.parametrize(
    ("stream", "what"),
    [
        ("stderr", "output_stream is neither stdout nor a file URI"),
        ("/var/log/app.jsonl", "output_stream is neither stdout nor a file URI"),
        ("https://host/a", "output_stream is neither stdout nor a file URI"),
        (
            "file://var/a",
            "output_stream names a file on another host; a file URI has three slashes",
        ),
        ("file:///a?b", "output_stream has a ? or a # in it; write them as %3F and %23"),
        ("file:///logs/", "output_stream names no file by its whole path"),
        ("file:app.jsonl", "output_stream names no file by its whole path"),
        ("file:///a%00b", "output_stream names no file by its whole path"),
        (7, "output_stream is neither stdout nor a file URI"),
    ],
)
def test_an_output_stream_that_cannot_be_written_to_is_refused_at_its_line(load, stream, what):
    with pytest.raises(ConfigurationError) as caught:
        load(file_exporters(f"{{output_stream: {stream!r}}}"))
    [problem] = caught.value.problems
    assert (problem.what, problem.remedy) == (what, "write stdout, or file:///path/to/file.jsonl")
    assert ":4 " in problem.settings[0].origin


def test_one_file_may_be_named_twice_and_two_files_may_not(load):
    same = file_exporters("{output_stream: 'file:///a'}", "{output_stream: 'file:///a'}", "{}")
    assert load(same).exporters == ("file", "otlp/stdout")
    with pytest.raises(ConfigurationError, match="there is a file already"):
        load(file_exporters("{output_stream: 'file:///a'}", "{output_stream: 'file:///b'}"))


def test_the_console_of_opentelemetry_is_ours(load):
    assert load(file_exporters("{}").replace("otlp_file/development: {}", "console:")).exporters == (
        "console",
    )


def test_a_file_without_a_logger_provider_sends_no_logs(load):
    assert load('file_format: "1.0"\n').exporters == ("none",)
    assert load('file_format: "1.0"\ndistribution: {fapilog: {level: debug}}\n').exporters is None


def test_problems_point_at_their_lines(load):
    text = (
        'file_format: "1.0"\n'
        "logger_provider:\n"
        "  processors:\n"
        "    - third_party: {token: t0ken}\n"
        "    - batch:\n"
        "        schedule_delay: soon\n"
        "        exporter: {otlp_http: {headers_list: nonsense}}\n"
        "distribution:\n"
        "  fapilog:\n"
        "    buffer: {overflow: drop}\n"
        "    colour: blue\n"
    )
    assert problems(load, text) == [
        ("file-invalid", "third_party", "otel.yaml:4 (logger_provider.processors[0].third_party)"),
        (
            "file-invalid",
            "headers_list",
            "otel.yaml:7 (logger_provider.processors[1].batch.exporter.otlp_http.headers_list)",
        ),
        (
            "setting-invalid",
            "buffer.overflow",
            "otel.yaml:10 (distribution.fapilog.buffer.overflow)",
        ),
        (
            "setting-invalid",
            "buffer.schedule_delay_millis",
            "otel.yaml:6 (logger_provider.processors[1].batch.schedule_delay)",
        ),
        ("setting-unknown", "colour", "otel.yaml:11 (distribution.fapilog.colour)"),
    ]


def test_a_problem_shows_no_value_that_may_be_a_secret(load):
    with pytest.raises(ConfigurationError) as caught:
        load('file_format: "1.0"\nlogger_provider: {processors: [{third_party: {token: t0ken}}]}\n')
    assert "t0ken" not in str(caught.value)


@pytest.mark.parametrize("version", ['"2.0"', '"0.4"', "yes"])
def test_another_major_version_is_refused(load, version):
    assert problems(load, f"file_format: {version}\n") == [
        ("file-invalid", "file_format", "otel.yaml:1 (file_format)")
    ]


def test_an_exporter_with_options_that_only_the_distribution_can_build_is_refused(load):
    text = 'file_format: "1.0"\nlogger_provider: {processors: [{batch: {exporter: {vendor: {key: k}}}}]}\n'
    [first, second] = problems(load, text)
    assert first[:2] == ("file-invalid", "vendor")
    assert second[:2] == ("exporter-unknown", "exporters")


@pytest.mark.parametrize("section", ["5", "[]", "text", "{processors: 5}", "{processors: [5, null]}"])
def test_a_section_of_the_wrong_kind_breaks_nothing(load, section):
    assert load(f'file_format: "1.0"\nlogger_provider: {section}\n').exporters == ("none",)


# Variables


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N}", "7"),
        ("${env:N}", "7"),
        ("x${N}y${N}", "x7y7"),
        ("${M:-d}", "d"),
        ("${N:-d}", "7"),
        ("${M}", ""),
        ("$$", "$"),
        ("$${N}", "${N}"),
        ("$${M:-d} ${N}", "${M:-d} 7"),
        ("${1}", "${1}"),
        ("$N", "$N"),
    ],
)
def test_references_are_replaced(text, value):
    assert substitute(text, {"N": "7"}) == value


def test_only_a_whole_unquoted_reference_gets_the_type_of_its_text(tmp_path):
    path = tmp_path / "otel.yaml"
    path.write_text("a: ${N}\nb: '${N}'\nc: x${N}\nd: ${B}\ne: ${M}\n${N}: key # ${N}\n")
    assert read(path, {"N": "7", "B": "true"}).content == {
        "a": 7,
        "b": "7",
        "c": "x7",
        "d": True,
        "e": None,
        "${N}": "key",
    }


def test_an_anchor_is_replaced_once_and_may_hold_itself(tmp_path):
    path = tmp_path / "otel.yaml"
    path.write_text("a: &a $${N}\nb: *a\nc: &c {self: *c, n: '$$$$'}\n")
    content = read(path, {"N": "7"}).content
    assert (content["a"], content["b"], content["c"]["n"]) == ("${N}", "${N}", "$$")
    assert content["c"]["self"] is content["c"]


_SCALARS = st.none() | st.booleans() | st.integers() | st.text("ab: -#'\"", max_size=8)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), _TREES, max_size=4))
def test_a_file_without_references_reads_as_yaml_reads_it(tmp_path_factory, tree):
    path = tmp_path_factory.mktemp("tree") / "otel.yaml"
    path.write_text(yaml.safe_dump(tree))
    document = read(path, {})
    assert document.content == tree
    assert set(document.lines) == set(paths(tree))


def paths(value, keys=()):
    """The keys of every value of a tree, from the top."""
    yield keys
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from paths(inner, (*keys, key))


def batches(*processors):
    lines = [f"    - batch: {{{each}, exporter: {{console: {{}}}}}}" for each in processors]
    return "\n".join(['file_format: "1.0"', "logger_provider:", "  processors:", *lines, ""])


@pytest.mark.parametrize(("first", "second"), [(10, 20), (20, 10)])
def test_of_two_batch_processors_the_smaller_number_counts_and_that_is_said_with_both_places(
    load, capsys, tmp_path, first, second
):
    diagnostics._voice.forget()
    settings = load(batches(f"max_export_batch_size: {first}", f"max_export_batch_size: {second}"))
    key = "batch.max_export_batch_size)"
    places = [
        f"{tmp_path}/otel.yaml:{number + 4} (logger_provider.processors[{number}].{key}" for number in (0, 1)
    ]
    assert settings.buffer.max_block_records == 10
    assert settings.origin("buffer.max_block_records") == places[first > second]
    assert capsys.readouterr().err == (
        f"fapilog: max_export_batch_size is {first} in {places[0]} and {second} in {places[1]};"
        " one buffer serves all batch processors: 10 counts [batches-share]\n"
    )
    diagnostics._voice.forget()


def test_equal_numbers_and_one_number_alone_say_nothing(load, capsys):
    settings = load(batches("schedule_delay: 7, max_queue_size: 100", "schedule_delay: 7, export_timeout: 0"))
    assert (settings.buffer.schedule_delay_millis, settings.buffer.max_queue_records) == (7, 100)
    assert capsys.readouterr().err == ""
