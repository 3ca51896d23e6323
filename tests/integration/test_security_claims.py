"""SECURITY.md, "the default policy": a secret, by whatever door, is not in the bytes that are sent."""

import logging
from dataclasses import dataclass

import pytest
from pydantic import BaseModel, SecretStr

import fapilog
from fapilog.testing import OtlpReceiver

SECRET = "s3cr3t-value"
URL = f"https://app:{SECRET}@db.internal/orders"


class Login(BaseModel):
    password: str = SECRET
    answer: SecretStr = SecretStr(SECRET)


@dataclass
class Client:
    api_key: str = SECRET


@pytest.fixture
def receiver():
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.fixture
def telemetry(receiver):
    endpoint = {"endpoint": receiver.logs_endpoint}
    with fapilog.configure_otel("shop", exporters=["otlp"], otlp=endpoint) as telemetry:
        yield telemetry


LOG = fapilog.get_logger("shop")
DOORS = {
    "an attribute": lambda telemetry: LOG.info("m", password=SECRET),
    "a value of any type under a secret key": lambda telemetry: LOG.info("m", password={"old": [SECRET]}),
    "a nested attribute": lambda telemetry: LOG.info("m", a={"b": [{"password": SECRET}]}),
    "a pydantic model": lambda telemetry: LOG.info("m", login=Login()),
    "a dataclass": lambda telemetry: LOG.info("m", client=Client()),
    "a body that is a map": lambda telemetry: LOG.info({"password": SECRET}),
    "a URL in the body": lambda telemetry: LOG.info(f"connecting to {URL}"),
    "a URL as a format argument": lambda telemetry: LOG.info("connecting to %s", URL),
    "a URL in a list": lambda telemetry: LOG.info("m", replicas=[URL]),
    "a tag": lambda telemetry: LOG.info("m", tags={"password": SECRET}),
    "a bound attribute": lambda telemetry: LOG.bind(api_key=SECRET).info("m"),
    "an exception": lambda telemetry: LOG.error("m", exc_info=ValueError(f"cannot reach {URL}")),
    "a LogEvent": lambda telemetry: LOG.emit(
        fapilog.LogEvent(message="m", level="INFO", context={"password": SECRET})
    ),
    "logging, extra": lambda telemetry: logging.getLogger("old").error("m", extra={"password": SECRET}),
    "logging, a format argument": lambda telemetry: logging.getLogger("old").error("cannot reach %s", URL),
    "the OpenTelemetry API": lambda telemetry: telemetry.logger_provider.get_logger("api").emit(
        body={"password": SECRET}, attributes={"token": SECRET}
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_secret_is_not_in_what_is_sent(door, telemetry, receiver):
    with fapilog.bind_context(client_secret=SECRET):
        DOORS[door](telemetry)
    assert telemetry.force_flush(10_000)
    [request] = [request for request in receiver.requests if request.path == "/v1/logs"]
    assert receiver.log_record_count == 1
    assert SECRET not in str(request.message)
    assert "REDACTED" in str(request.message)


AROUND = {
    "the name of an event": lambda: LOG.info("m", event_name=URL),
    "a key": lambda: LOG.info("m", **{URL: 1}),
}


@pytest.mark.parametrize("door", AROUND)
def test_credentials_of_a_url_in_a_name_are_not_in_what_is_sent(door, telemetry, receiver):
    AROUND[door]()
    assert telemetry.force_flush(10_000)
    assert SECRET not in str([request.message for request in receiver.requests])


SCOPES = {
    "attributes of the scope": lambda telemetry: telemetry.logger_provider.get_logger(
        "api", attributes={"password": SECRET, "a": {"token": SECRET}, "url": URL}
    ).emit(body="m"),
    "version and schema URL of the scope": lambda telemetry: telemetry.logger_provider.get_logger(
        "api", URL, URL
    ).emit(body="m"),
    "the name of a logger": lambda telemetry: fapilog.get_logger(URL).info("m"),
}


@pytest.mark.parametrize("door", SCOPES)
def test_a_secret_around_a_record_is_not_in_what_is_sent(door, telemetry, receiver):
    SCOPES[door](telemetry)
    assert telemetry.force_flush(10_000)
    assert receiver.log_record_count == 1
    sent = str([request.message for request in receiver.requests if request.path == "/v1/logs"])
    assert SECRET not in sent
    assert "REDACTED" in sent


def test_a_secret_is_not_in_the_resource_that_is_sent(receiver):
    service = {"resource_attributes": {"db.password": SECRET, "db.url": URL}}
    with fapilog.configure_otel(
        "shop", exporters=["otlp"], otlp={"endpoint": receiver.logs_endpoint}, service=service
    ):
        LOG.info("m")
    [request] = [request for request in receiver.requests if request.path == "/v1/logs"]
    assert (SECRET in str(request.message), "REDACTED" in str(request.message)) == (False, True)
