"""Settings come from arguments and variables, and say what is wrong with them."""

import pytest

from fapilog import ConfigurationError
from fapilog_exporter_syslog import SyslogExporter, SyslogSettings
from fapilog_exporter_syslog.priority import FACILITIES


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("tls://h", ("tls://h:6514", "h", 6514, True)),
        ("tcp://h", ("tcp://h:514", "h", 514, False)),
        ("TLS://Log.Example:601/", ("tls://log.example:601", "log.example", 601, True)),
        ("tcp://[2001:db8::1]:514", ("tcp://[2001:db8::1]:514", "2001:db8::1", 514, False)),
    ],
)
def test_an_endpoint_has_a_scheme_a_host_and_a_port(given, expected):
    settings = SyslogSettings(endpoint=given)
    assert (settings.endpoint, settings.host, settings.port, settings.tls) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "h:514"},
        {"endpoint": "udp://h:514"},
        {"endpoint": "tcp://"},
        {"endpoint": "tcp://h:99999"},
        {"endpoint": "tcp://h:0"},
        {"endpoint": "tcp://u:p@h"},
        {"endpoint": "tcp://h/path"},
        {"endpoint": "tcp://syslog..example"},
        {"endpoint": f"tcp://{'h' * 64}.example"},
        {"endpoint": "tcp://sys log"},
        {"facility": "local8"},
        {"facilities": ("security",)},
        {"facilities": ("security=nobody",)},
        {"severities": "other"},
        {"enterprise_number": -1},
        {"max_message_bytes": 480},
        {"oversized": "keep"},
        {"client_certificate": "a.pem"},
        {"unknown": 1},
    ],
)
def test_a_wrong_setting_is_named(wrong):
    with pytest.raises(ConfigurationError) as raised:
        SyslogSettings.load({}, **{"endpoint": "tls://h", **wrong})
    assert next(iter(wrong)) in str(raised.value)


def test_variables_fill_what_arguments_leave():
    environ = {
        "FAPILOG_SYSLOG_ENDPOINT": "tls://theirs",
        "FAPILOG_SYSLOG_FACILITIES": "security=authpriv, compliance=audit",
        "FAPILOG_SYSLOG_ATTRIBUTES": "order_id, http.*",
        "FAPILOG_SYSLOG_SETTLE_MILLIS": "0",
        "FAPILOG_SYSLOG_FACILITY": "daemon",
    }
    settings = SyslogSettings.load(environ, facility="local1")
    assert settings.facilities == ("security=authpriv", "compliance=audit")
    assert settings.attributes == ("order_id", "http.*")
    assert (settings.facility, settings.settle_millis) == ("local1", 0)


def test_facilities_have_the_numbers_of_the_standard():
    assert sorted(FACILITIES.values()) == list(range(24))
    assert (FACILITIES["authpriv"], FACILITIES["local7"]) == (10, 23)


def test_the_exporter_says_where_it_sends_to():
    assert repr(SyslogExporter(endpoint="tcp://h")) == "<SyslogExporter to tcp://h:514>"
