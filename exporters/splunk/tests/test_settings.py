"""Settings come from arguments and variables, and never show a token."""

import pytest

from fapilog import ConfigurationError
from fapilog_exporter_splunk import SplunkHecExporter, SplunkHecSettings

SECRET = "obviously-" + "not-a-token"


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://h:8088", "https://h:8088"),
        ("https://h:8088/", "https://h:8088"),
        ("https://h:8088/services/collector", "https://h:8088"),
        ("https://h:8088/services/collector/event/1.0", "https://h:8088"),
        ("http://h/splunk/services/collector/raw", "http://h/splunk"),
    ],
)
def test_the_url_is_taken_with_and_without_the_collectors_path(given, url):
    assert SplunkHecSettings(url=given, token="t").url == url


def test_arguments_win_over_our_variables_and_those_over_splunks():
    environ = {
        "SPLUNK_HEC_URL": "https://theirs:8088",
        "SPLUNK_HEC_TOKEN": "theirs",
        "FAPILOG_SPLUNK_TOKEN": "ours",
        "FAPILOG_SPLUNK_INDEX": "from-environment",
        "FAPILOG_SPLUNK_FIELDS": "service.name, http.*",
        "FAPILOG_SPLUNK_ACK": "true",
    }
    settings = SplunkHecSettings.load(environ, index="from-argument")
    assert (settings.url, settings.token.get_secret_value()) == ("https://theirs:8088", "ours")
    assert (settings.index, settings.fields) == ("from-argument", ("service.name", "http.*"))
    assert (settings.ack, settings.in_flight) == (True, 16)


def test_each_setting_that_is_missing_or_wrong_is_a_problem_with_its_variable():
    with pytest.raises(ConfigurationError) as raised:
        SplunkHecSettings.load({"FAPILOG_SPLUNK_MAX_REQUEST_BYTES": "1"}, url="https://h")
    assert [problem.what for problem in raised.value.problems] == [
        "the exporter splunk_hec needs token",
        "max_request_bytes of splunk_hec has a value that is not allowed",
    ]
    assert "FAPILOG_SPLUNK_TOKEN" in str(raised.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": f"Splunk {SECRET}"},
        {"token": f"{SECRET}\n"},
        {"token": [SECRET]},
        {"url": f"https://u:{SECRET}@h"},
        {"url": f"https://h/?token={SECRET}"},
        {"channel": "no-guid"},
        {"client_certificate": "a.pem"},
        {"unknown": 1},
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(wrong):
    with pytest.raises(ConfigurationError) as raised:
        SplunkHecSettings.load({}, **{"url": "https://h", "token": SECRET, **wrong})
    assert next(iter(wrong)) in str(raised.value)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(raised.value)


def test_neither_settings_nor_exporter_show_the_token():
    settings = SplunkHecSettings(url="https://h", token=SECRET)
    exporter = SplunkHecExporter(settings)
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {exporter!r}"
    assert SECRET not in shown


def test_a_certificate_that_cannot_be_used_is_a_configuration_error(tmp_path):
    with pytest.raises(ConfigurationError, match=r"certificate"):
        SplunkHecExporter(url="https://h", token="t", certificate=tmp_path / "missing.pem")


def test_a_variable_that_is_no_setting_is_named(caplog):
    SplunkHecSettings.load({"FAPILOG_SPLUNK_TOKN": SECRET}, url="https://h", token="t")
    assert "FAPILOG_SPLUNK_TOKN" in caplog.text
    assert SECRET not in caplog.text
