"""Settings come from arguments and variables, and never show a password."""

import pytest

from fapilog import ConfigurationError
from fapilog_exporter_kafka import KafkaExporter, KafkaLogExporter, KafkaSettings

SECRET = "obviously-" + "not-a-password"
LOGIN = {"sasl_mechanism": "PLAIN", "username": "u", "password": SECRET, "tls": True}


def test_arguments_win_over_variables():
    environ = {
        "FAPILOG_KAFKA_BROKERS": "kafka-1.example, kafka-2.example:9093",
        "FAPILOG_KAFKA_TLS": "true",
        "FAPILOG_KAFKA_TOPIC": "from-environment",
        "FAPILOG_KAFKA_KEY": "trace",
        "FAPILOG_KAFKA_PROPERTIES": "linger.ms=20, client.rack = a",
    }
    settings = KafkaSettings.load(environ, topic="from-argument")
    assert settings.brokers == ("kafka-1.example:9092", "kafka-2.example:9093")
    assert (settings.topic, settings.key, settings.tls) == ("from-argument", "trace", True)
    given = settings.librdkafka()
    assert (given["linger.ms"], given["client.rack"], given["security.protocol"]) == ("20", "a", "ssl")


def test_all_that_librdkafka_is_told():
    settings = KafkaSettings(
        brokers=["kafka.example:9093"], **LOGIN, certificate="/ca.pem", client_id="orders", compression="none"
    )
    assert settings.librdkafka() == {
        "bootstrap.servers": "kafka.example:9093",
        "client.id": "orders",
        "acks": "all",
        "enable.idempotence": True,
        "compression.type": "none",
        "message.max.bytes": 1_000_000,
        "message.timeout.ms": 300_000,
        "partitioner": "murmur2_random",
        "socket.keepalive.enable": True,
        "security.protocol": "sasl_ssl",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "u",
        "sasl.password": SECRET,
        "ssl.ca.location": "/ca.pem",
    }


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"brokers": ["http://kafka:9092"]}, "without a scheme"),
        ({"brokers": ["kafka:0"]}, "HOST:PORT"),
        ({"brokers": ["kafka.example:9092"]}, "without TLS"),
        ({"brokers": []}, "at least 1"),
        ({"topic": "with space"}, "Kafka's rule"),
        ({"topic": ".."}, "Kafka's rule"),
        ({"key": "host"}, "'none', 'service' or 'trace'"),
        ({"username": "u"}, "belong together"),
        ({"username": "u", "password": SECRET}, "belong together"),
        ({"sasl_mechanism": "PLAIN"}, "belong together"),
        ({"certificate": "/ca.pem"}, "set tls"),
        ({"client_certificate": "/a.pem", "tls": True}, "belong together"),
        ({"properties": {"acks": 0}}, "acks"),
        (
            {"properties": {"enable.ssl.certificate.verification": False}},
            "enable.ssl.certificate.verification",
        ),
        ({"properties": {"ssl.endpoint.identification.algorithm": "none"}}, "ssl.endpoint"),
        ({"properties": {"delivery.report.only.error": True}}, "delivery.report.only.error"),
        ({"brokers": [f"user:{SECRET}@kafka:9092"]}, "without a scheme"),
        ({"properties": {"sasl.password": SECRET}}, "sasl.password"),
        ({"properties": SECRET}, "NAME=VALUE"),
        ({"password": [SECRET]}, "password"),
        ({"unknown": SECRET}, "unknown"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_shown(given, why):
    with pytest.raises(ConfigurationError) as raised:
        KafkaSettings.load({}, **given)
    assert why in str(raised.value)
    assert SECRET not in str(raised.value)
    assert SECRET not in repr(raised.value)


@pytest.mark.parametrize("address", ["kafka.example:9092", "10.0.0.7:9092"])
def test_other_machines_need_tls_or_consent(address):
    assert KafkaSettings(brokers=[address], tls=True).brokers == (address,)
    assert KafkaSettings(brokers=[address], allow_plaintext=True).brokers == (address,)


def test_neither_settings_nor_exporter_show_what_is_secret():
    settings = KafkaSettings(**LOGIN, properties={"ssl.keystore.password": SECRET})
    exporter = KafkaExporter(KafkaSettings(**LOGIN))
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {exporter!r}"
    assert SECRET not in shown + f"{KafkaLogExporter(**LOGIN)!r}"


@pytest.mark.parametrize(
    "given",
    [
        {"properties": {"no.such.property": SECRET}},
        {"properties": {"linger.ms": SECRET}},
        {"tls": True, "certificate": "missing.pem"},
        {"tls": True, "client_certificate": "missing.pem", "client_key": "missing.pem"},
    ],
)
def test_what_librdkafka_does_not_take_is_a_configuration_error_before_the_first_record(given):
    with pytest.raises(ConfigurationError, match=r"librdkafka refuses") as raised:
        KafkaExporter(**given)
    assert SECRET not in str(raised.value)


def test_a_variable_that_is_no_setting_is_named(caplog):
    KafkaSettings.load({"FAPILOG_KAFKA_PASSWRD": SECRET})
    assert "FAPILOG_KAFKA_PASSWRD" in caplog.text
    assert SECRET not in caplog.text
