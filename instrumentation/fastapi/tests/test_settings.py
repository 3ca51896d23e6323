"""Settings come from arguments and variables, and one error names everything that is wrong."""

import doctest
import importlib
import logging

import pytest

from fapilog import ConfigurationError, Severity
from fapilog_instrumentation_fastapi import RequestLogging
from fapilog_instrumentation_fastapi.settings_sources import rows

MODULES = ["correlation", "exclusions", "sampling", "settings", "access", "middleware", "instrumentor"]
MODULES += ["hidden_input", "http_exceptions", "validation", "contents", "route_options", "hooks"]
MODULES += ["baggage", "binding", "dependencies"]
MODULES += ["lifespan", "health", "outgoing", "outgoing_clients"]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name: str):
    result = doctest.testmod(importlib.import_module(f"fapilog_instrumentation_fastapi.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def test_every_setting_has_a_variable_of_its_own_that_sets_it():
    texts = {float: "0.25", int: "7", str: "Other", tuple: "one, two", type(None): "x"}
    special = {
        "spans": "none",
        "access.client_error_severity": "fatal2",
        "exceptions.http": "404=info, 503",
        "capture.request_body": "error",
        "capture.response_body": "always",
        "capture.body_types": "text/*",
        "watch.recorder_statuses": "422, 5XX",
        "watch.blocked_seconds": "0.5",
    }
    special |= {"lifecycle.drain_timeout_millis": "250", "health.unready_when": "losing, pressure"}
    special |= {"health.live_path": "/a", "health.ready_path": "/b"}
    special |= {"outgoing.clients": "httpx", "outgoing.hosts": "stock.internal"}
    needed = {"outgoing.clients": {"FAPILOG_FASTAPI_OUTGOING_HOSTS": "*"}}
    found = list(rows(RequestLogging))
    assert len({row.variable for row in found}) == len(found)
    for row in found:
        opposite = str(not row.default).lower() if isinstance(row.default, bool) else ""
        text = special.get(row.path) or opposite or texts[type(row.default)]
        loaded = RequestLogging.load({row.variable: text, **needed.get(row.path, {})})
        assert loaded != RequestLogging(), row.path
        assert RequestLogging.load({row.variable: " "}) == RequestLogging()


def test_every_setting_says_what_it_does_and_where_its_default_comes_from():
    assert [row.path for row in rows(RequestLogging) if not (row.about.endswith(".") and row.source)] == []


def test_arguments_win_over_variables_and_leave_the_rest_of_a_group_to_them():
    environ = {"FAPILOG_FASTAPI_SLOW_SECONDS": "2.5", "FAPILOG_FASTAPI_ACCESS_SAMPLE_RATIO": "0.5"}
    loaded = RequestLogging.load(environ, access={"sample_ratio": 0.1})
    assert (loaded.access.slow_seconds, loaded.access.sample_ratio) == (2.5, 0.1)


def test_lists_words_and_none_are_read_from_variables():
    loaded = RequestLogging.load(
        {
            "FAPILOG_FASTAPI_CORRELATION_HEADERS": "X-Trace, X-Id",
            "FAPILOG_FASTAPI_CORRELATION_RESPONSE_HEADER": "none",
            "FAPILOG_FASTAPI_SLOW_SECONDS": "None",
            "FAPILOG_FASTAPI_CLIENT_ERROR_SEVERITY": "info2",
            "FAPILOG_FASTAPI_SPANS": "none",
        }
    )
    assert loaded.correlation.request_headers == ("X-Trace", "X-Id")
    assert (loaded.correlation.response_header, loaded.access.slow_seconds) == (None, None)
    assert (loaded.access.client_error_severity, loaded.spans) == (Severity.INFO2, "none")


def test_one_error_names_every_wrong_value_with_its_origin():
    environ = {
        "FAPILOG_FASTAPI_CORRELATION_HEADERS": "X-Id, not a name",
        "FAPILOG_FASTAPI_EXCLUDE_PATTERNS": "(",
    }
    with pytest.raises(ConfigurationError) as caught:
        RequestLogging.load(environ, access={"sample_ratio": 2}, colour="blue")
    assert [(problem.code, str(problem.settings[0])) for problem in caught.value.problems] == [
        (
            "setting-invalid",
            "correlation.request_headers = 'not a name'   from FAPILOG_FASTAPI_CORRELATION_HEADERS",
        ),
        ("setting-invalid", "access.sample_ratio = 2   from argument"),
        ("setting-invalid", "access.exclude_patterns = ('(',)   from FAPILOG_FASTAPI_EXCLUDE_PATTERNS"),
        ("setting-unknown", "colour = 'blue'   from argument"),
    ]


def test_a_variable_that_no_setting_has_is_named(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        RequestLogging.load({"FAPILOG_FASTAPI_COLOUR": "blue", "FAPILOG_LEVEL": "debug"})
    assert caplog.messages == ["no setting has the variable FAPILOG_FASTAPI_COLOUR: it has no effect"]
