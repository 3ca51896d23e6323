"""What compliance profiles refuse and fill in besides redaction: TLS, and how long stores keep records."""

import pytest

from fapilog.errors import ConfigurationError
from tests.unit.compliance.profiles import profile

DAY = 86_400
TLS = profile("pci", transport={"tls": True, "clause": "1"})
KEEPS = profile("keeps", retention={"min_days": 365, "min_clause": "1"})
DELETES = profile("deletes", retention={"max_days": 400, "max_clause": "2"})


def codes(caught):
    return [(problem.code, problem.settings[0].name) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("values", "environ", "named"),
    [
        ({"otlp.endpoint": "http://collector.example:4318"}, {}, "otlp.endpoint"),
        ({}, {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://10.0.0.1:4318/v1/logs"}, "otlp.endpoint"),
        ({"otlp.protocol": "grpc", "otlp.endpoint": "http://collector.example:4317"}, {}, "otlp.endpoint"),
        (
            {"otlp.protocol": "grpc", "otlp.endpoint": "collector.example:4317", "otlp.insecure": True},
            {},
            "otlp.endpoint",
        ),
        (
            {"exporters": ["webhook"], "webhook.url": "http://hooks.example/x", "webhook.allow_http": True},
            {},
            "webhook.url",
        ),
        (
            {
                "exporters": ["console"],
                "delivery.fallback": {"console": "otlp"},
                "otlp.endpoint": "http://a.b",
            },
            {},
            "otlp.endpoint",
        ),
        (
            {},
            {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces.example"},
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ),
        (
            {"exporters": ["none"]},
            {"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://metrics.example"},
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
    ],
    ids=str,
)
def test_an_endpoint_on_another_machine_without_tls_is_refused(load, values, environ, named):
    with pytest.raises(ConfigurationError) as caught:
        load(environ, compliance=[TLS], **values)
    assert codes(caught) == [("tls-required", named)]


@pytest.mark.parametrize(
    ("values", "environ"),
    [
        ({}, {}),
        ({"otlp.endpoint": "https://collector.example:4318"}, {}),
        ({"otlp.endpoint": "http://localhost:4318"}, {}),
        ({"otlp.endpoint": "http://[::1]:4318"}, {}),
        ({"otlp.protocol": "grpc", "otlp.endpoint": "collector.example:4317"}, {}),
        ({"otlp.protocol": "grpc", "otlp.endpoint": "127.0.0.1:4317", "otlp.insecure": True}, {}),
        ({"exporters": ["console"], "otlp.endpoint": "http://collector.example"}, {}),
        ({"exporters": ["webhook"], "webhook.url": "https://hooks.example/x"}, {}),
        (
            {},
            {
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://traces.example",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example",
            },
        ),
    ],
    ids=str,
)
def test_tls_the_machine_itself_and_what_is_not_used_are_fine(load, values, environ):
    assert load(environ, compliance=[TLS], **values).profiles.tls is not None


def test_the_refusal_names_the_clause_and_the_variable(load):
    with pytest.raises(ConfigurationError) as caught:
        load(
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://user:hunter2@collector.example/v1/logs"},
            compliance=[TLS],
        )
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).splitlines()[0] == (
        "otlp.endpoint would send records without TLS, which pci 1 asks for [tls-required]"
    )
    assert "set OTEL_EXPORTER_OTLP_LOGS_ENDPOINT to an https:// address" in str(caught.value)


def limits(settings):
    file = settings.file
    return file.keep_files, file.keep_seconds, file.max_age_seconds, settings.spool.max_age_seconds


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        ([], (10, None, None, 3 * DAY)),
        ([KEEPS], (None, None, None, None)),
        ([DELETES], (10, 399 * DAY, DAY, 3 * DAY)),
        ([KEEPS, DELETES], (None, 399 * DAY, DAY, 400 * DAY)),
    ],
    ids=str,
)
def test_where_nobody_said_how_long_the_profiles_do(load, profiles, expected):
    settings = load(compliance=profiles)
    assert limits(settings) == expected
    assert limits(settings.with_changes(level="debug")) == expected
    if profiles:
        assert limits(settings.with_changes(compliance=())) == (10, None, None, 3 * DAY)
        assert settings.origin("file.keep_seconds" if DELETES in profiles else "file.keep_files").startswith(
            "profile "
        )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"file.keep_files": 10}, ("retention-too-short", "file.keep_files")),
        ({"file.keep_seconds": 364 * DAY}, ("retention-too-short", "file.keep_seconds")),
        ({"file.keep_seconds": 400 * DAY}, ("retention-too-long", "file.keep_seconds")),
        ({"file.max_age_seconds": 400 * DAY}, ("retention-too-long", "file.max_age_seconds")),
        ({"spool.max_age_seconds": 3 * DAY}, ("retention-too-short", "spool.max_age_seconds")),
        ({"spool.max_age_seconds": 401 * DAY}, ("retention-too-long", "spool.max_age_seconds")),
    ],
    ids=str,
)
def test_what_deletes_too_early_or_too_late_is_refused(load, tmp_path, values, expected):
    stores = {"file.path": tmp_path / "app.jsonl", "spool.directory": tmp_path / "spool"}
    with pytest.raises(ConfigurationError) as caught:
        load(compliance=[KEEPS, DELETES], **stores, **values)
    assert codes(caught) == [expected]


def test_what_lies_between_the_bounds_is_the_users_choice(load, tmp_path):
    values = {"file.path": tmp_path / "a", "file.keep_seconds": 370 * DAY, "file.max_age_seconds": 2 * DAY}
    assert limits(load(compliance=[KEEPS, DELETES], **values)) == (None, 370 * DAY, 2 * DAY, 400 * DAY)


def test_the_refusal_of_a_time_names_the_clause(load, tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_FILE_KEEP_FILES": "5"}, compliance=[KEEPS], **{"file.path": tmp_path / "a"})
    assert str(caught.value) == (
        "file.keep_files deletes files by number, so maybe too early: keeps 1 says 365 days"
        " [retention-too-short]\n"
        "  file.keep_files = 5   from FAPILOG_FILE_KEEP_FILES\n"
        "  do: set FAPILOG_FILE_KEEP_FILES to nothing (null), or leave it out\n"
        "  see: docs/reference/errors.md#retention-too-short"
    )
