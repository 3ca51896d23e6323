"""One error lists every problem, in our words, with values, origins and remedies."""

import pytest

from fapilog.errors import ConfigurationError, UnknownExporterError
from fapilog.settings import Settings
from fapilog.settings.variables import ROWS


def problems(load, environ=None, **overrides):
    with pytest.raises(ConfigurationError) as caught:
        load(environ, **overrides)
    return [
        (problem.code, problem.what, [(s.name, s.value, s.origin) for s in problem.settings], problem.remedy)
        for problem in caught.value.problems
    ]


def test_problems_of_all_places_are_told_at_once(load, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("console: {style: fancy}\nbufer: {}\n")
    assert problems(load, {"FAPILOG_BUFFER_BYTES": "lots"}, path=path, otlp={"max_in_flight": "4"}) == [
        (
            "setting-invalid",
            "buffer.limit_bytes is not a whole number",
            [("buffer.limit_bytes", "'lots'", "FAPILOG_BUFFER_BYTES")],
            "set FAPILOG_BUFFER_BYTES to a value of its kind: bytes",
        ),
        (
            "setting-invalid",
            "otlp.max_in_flight is not a whole number",
            [("otlp.max_in_flight", "'4'", "argument")],
            "set otlp.max_in_flight to a whole number of requests",
        ),
        (
            "setting-invalid",
            "console.style is not one of the allowed words",
            [("console.style", "'fancy'", str(path))],
            "set console.style to 'pretty', 'json', 'logfmt' or 'minimal'",
        ),
        (
            "setting-unknown",
            "there is no setting bufer",
            [("bufer", "***", str(path))],
            "did you mean buffer?",
        ),
    ]


@pytest.mark.parametrize(
    ("overrides", "code", "names", "remedy"),
    [
        (
            {"buffer": {"max_queue_records": 256, "max_block_records": 512}},
            "queue-smaller-than-batch",
            ["buffer.max_queue_records", "buffer.max_block_records"],
            "raise buffer.max_queue_records to 512 or more, or lower buffer.max_block_records",
        ),
        (
            {"buffer": {"limit_bytes": 100_000}},
            "buffer-smaller-than-chunk",
            ["buffer.limit_bytes", "buffer.chunk_bytes"],
            "raise buffer.limit_bytes to 1048576 or more, or lower buffer.chunk_bytes",
        ),
        (
            {"buffer": {"chunk_bytes": 1_000}},
            "chunk-smaller-than-record",
            ["buffer.chunk_bytes", "buffer.record_bytes"],
            "raise buffer.chunk_bytes to 65536 or more, or lower buffer.record_bytes",
        ),
        (
            {"otlp.retry.initial_backoff_millis": 60_000},
            "backoff-out-of-order",
            ["otlp.retry.initial_backoff_millis", "otlp.retry.max_backoff_millis"],
            "raise otlp.retry.max_backoff_millis to 60000 or more",
        ),
        (
            {"otlp": {"client_key": __file__}},
            "client-key-incomplete",
            ["otlp.client_certificate", "otlp.client_key"],
            "set both otlp.client_certificate and otlp.client_key, or neither",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_named_together(load, overrides, code, names, remedy):
    ((found_code, _, settings, found_remedy),) = problems(load, **overrides)
    assert (found_code, [name for name, _, _ in settings], found_remedy) == (code, names, remedy)


def test_a_conflict_names_the_variables_to_change_and_the_source_of_a_default(load):
    environ = {"OTEL_BLRP_MAX_QUEUE_SIZE": "10", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "20"}
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    assert str(caught.value) == (
        "the queue is smaller than a batch [queue-smaller-than-batch]\n"
        "  buffer.max_queue_records = 10   from OTEL_BLRP_MAX_QUEUE_SIZE\n"
        "  buffer.max_block_records = 20   from OTEL_BLRP_MAX_EXPORT_BATCH_SIZE\n"
        "  do: raise OTEL_BLRP_MAX_QUEUE_SIZE to 20 or more, or lower OTEL_BLRP_MAX_EXPORT_BATCH_SIZE\n"
        "  see: docs/reference/errors.md#queue-smaller-than-batch"
    )
    with pytest.raises(ConfigurationError, match=r"chunk_bytes = 1048576   from default \(fapilog\)"):
        load({"FAPILOG_BUFFER_BYTES": "5"})


def test_a_conflict_that_follows_from_a_wrong_value_is_not_told_twice(load):
    environ = {"OTEL_EXPORTER_OTLP_CLIENT_KEY": "/nowhere", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": __file__}
    ((code, what, _, _),) = problems(load, environ)
    assert (code, what) == ("setting-invalid", "otlp.client_key is not a file that exists")


@pytest.mark.parametrize(
    ("overrides", "name", "remedy"),
    [
        ({"levl": 1}, "levl", "did you mean level?"),
        ({"buffer": {"limit": 1}}, "buffer.limit", "did you mean buffer.limit_bytes?"),
        ({"otlp": {"retry": {"max_backof_millis": 1}}}, "otlp.retry.max_backof_millis",
         "did you mean otlp.retry.max_backoff_millis?"),
        ({"overflow": "wait"}, "overflow", "did you mean buffer.overflow?"),
        ({"zebra": 1}, "zebra", "remove it; names: docs/reference/settings.md"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_refused_with_the_name_that_was_meant(load, overrides, name, remedy):
    assert problems(load, **overrides) == [
        ("setting-unknown", f"there is no setting {name}", [(name, "***", "argument")], remedy)
    ]


@pytest.mark.parametrize(
    ("overrides", "what", "remedy"),
    [
        ({"sequence": 1}, "sequence is neither true nor false", "set sequence to true or false"),
        ({"buffer": 5}, "buffer is not a group of settings", "set buffer to a mapping of its settings"),
        ({"exporters": 3}, "exporters is not a list", "set exporters to a list"),
        ({"exporters": []}, "exporters names no exporter", "set exporters to none, to export nothing"),
        ({"levels": 3}, "levels is not a mapping", "set levels to a mapping"),
        ({"service": {"name": 3}}, "service.name is not text", "set service.name to text (text)"),
        ({"otlp": {"certificate": 3}}, "otlp.certificate is not a path", "set otlp.certificate to a path"),
        (
            {"limits": {"depth": 2**70}},
            "limits.depth is too large",
            "set limits.depth to 30 or less",
        ),
        ({"buffer": {"limit_bytes": True}}, "buffer.limit_bytes is not a whole number",
         "set buffer.limit_bytes to a whole number of bytes"),
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_kind_is_refused_in_plain_words(load, overrides, what, remedy):
    ((code, found, _, found_remedy),) = problems(load, **overrides)
    assert (code, found, found_remedy) == ("setting-invalid", what, remedy)


def test_a_place_inside_a_value_belongs_to_its_setting(load):
    ((_, what, settings, _),) = problems(load, service={"resource_attributes": {"a": 3}})
    assert (what, settings[0][0]) == (
        "service.resource_attributes is not text",
        "service.resource_attributes",
    )


def test_wrong_headers_given_as_an_argument_are_not_shown(load):
    for headers in ({"a b": "hunter2"}, {"a": "hunter2\n"}, {"a": 3, "b": "hunter2"}, "hunter2"):
        with pytest.raises(ConfigurationError) as caught:
            load(otlp={"headers": headers})
        assert "otlp.headers = ***" in str(caught.value)
        assert "hunter2" not in str(caught.value) + repr(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None


def test_credentials_of_a_wrong_endpoint_are_not_shown(load):
    for environ, overrides in [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "u:hunter2@h:1"}, {}),
        ({}, {"otlp.endpoint": "ftp://u:hunter?2@h"}),
    ]:
        with pytest.raises(ConfigurationError) as caught:
            load(environ, **overrides)
        assert "hunter" not in str(caught.value)


def test_a_long_value_is_shown_in_one_short_line(load):
    ((_, _, ((_, value, _),), _),) = problems(load, console={"style": "x\n" * 500})
    assert (len(value), value[-3:], "\n" in value) == (80, "...", False)


def test_an_unknown_exporter_has_its_own_error(load):
    with pytest.raises(UnknownExporterError) as caught:
        load(exporters=["otlp", "zipkin"])
    assert caught.value.what == "exporters names an exporter that does not exist: zipkin"
    assert caught.value.remedy.startswith(
        "set exporters to one or more of otlp, otlp/stdout, otlp/stderr, file, webhook, memory, console, "
    )
    assert "otlp_proto_http" in caught.value.remedy


def test_none_stands_alone(load):
    ((code, _, _, remedy),) = problems(load, exporters=["none", "otlp"])
    assert (code, remedy) == ("exporters-conflict", "set exporters to none alone, or the others")


def test_asking_for_the_origin_of_a_name_that_does_not_exist_is_an_error(load):
    with pytest.raises(ConfigurationError, match=r"did you mean otlp\.endpoint\?"):
        load().origin("otlp.endpont")


def test_explain_is_a_table_for_people(load):
    explanation = load({"FAPILOG_LEVEL": "debug"}, otlp={"headers": {"a": "b"}}).explain()
    lines = str(explanation).splitlines()
    assert lines[0].split() == ["setting", "value", "from", "variables"]
    assert lines[1].split() == ["level", "DEBUG", "FAPILOG_LEVEL", "FAPILOG_LEVEL"]
    assert len(lines) == len(explanation) + 1
    assert [item for item in explanation.plain() if item["name"] == "otlp.headers"] == [
        {
            "name": "otlp.headers",
            "value": {"a": "***"},
            "origin": "argument",
            "variables": ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"),
        }
    ]


def test_settings_with_equal_values_are_equal_wherever_they_came_from(load):
    defaults = load()
    again = load(**{name: getattr(defaults, name) for name in Settings.model_fields})
    assert (again, hash(again)) == (defaults, hash(defaults))
    assert load({"FAPILOG_LEVEL": "debug"}) == load(level="debug") != defaults


def test_the_defaults_of_the_model_are_valid_themselves(load):
    given = load().model_dump()
    assert load(**given) == load()
    assert set(load(**given)._origins) == set(ROWS)
