"""Against a real broker: TLS and logins, rights, topics that are missing, limits, kills and restarts."""

import asyncio
import base64
import json
import time
from collections import Counter

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

import fapilog
from exporters.kafka.tests.numbered import numbered, numbers
from fapilog_exporter_kafka import KafkaExporter
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.kafka import PASSWORD, USER, KafkaBroker
from tests.servers.maven import JavaServerMissing

# Java starts slowly where others build.
pytestmark = pytest.mark.timeout(300)
RIGHTS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
LOGIN = {"sasl_mechanism": "PLAIN", "username": USER, "password": PASSWORD, "tls": True}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates):
    """A broker that, over TLS, asks who is there, and what he may do; without, anybody may do everything."""
    try:
        running = KafkaBroker(tmp_path_factory.mktemp("broker"), certificates, RIGHTS)
    except JavaServerMissing as missing:
        pytest.skip(str(missing))
    with running:
        yield running


def allow(broker, topic):
    rights = [
        AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            "User:*",
            "*",
            operation,
            AclPermissionType.ALLOW,
        )
        for operation in (AclOperation.WRITE, AclOperation.DESCRIBE)
    ]
    admin = broker.admin()
    for done in admin.create_acls(rights).values():
        done.result(30)


def unsigned_token(_):
    """As a function of an application gets a token somewhere."""
    now = time.time()
    parts = {"alg": "none"}, {"sub": USER, "iat": now, "exp": now + 600}
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return f"{texts[0]}.{texts[1]}.", now + 600


async def refused(exporter, batch, calls=20):
    """Call until the reason is known: a producer that failed already says why a moment later."""
    for _ in range(calls):
        outcome = await exporter.export_batch(batch)
        if outcome.error_type != "_FATAL":
            break
        await asyncio.sleep(0.1)
    return outcome


async def delivered(exporter, batch, calls=60):
    """Call again and again, as delivery does; the last outcome, with everything that was delivered."""
    total = 0
    for _ in range(calls):
        outcome = await exporter.export_batch(batch)
        total += outcome.delivered
        if not outcome.retry:
            break
        await asyncio.sleep(0.1)
    return total, outcome


def found(broker, topic):
    return Counter(number for message in broker.messages(topic) for number in numbers(message.records))


def check_keys(broker):
    traces = ["0af7651916cd43dd8448eb211c80319c", "5b8efff798038103d269b633813fc60c"]

    async def send(topic, **given):
        exporter = KafkaExporter(brokers=[broker.address], topic=topic, **given)
        batches = [numbered(20, 20 * place, traces=traces) for place in range(8)]
        outcomes = await asyncio.gather(*(delivered(exporter, batch) for batch in batches))
        await exporter.shutdown(1_000)
        return outcomes

    for key, messages in (("none", 8), ("trace", 16)):
        broker.create_topic(f"keys-{key}", 3)
        outcomes = asyncio.run(send(f"keys-{key}", key=key))
        assert [total for total, _ in outcomes] == [20] * 8
        read = broker.messages(f"keys-{key}")
        assert (len(read), found(broker, f"keys-{key}")) == (messages, Counter(range(160)))
        places = {(message.key, message.partition) for message in read}
        assert key == "none" or len(places) == 2


def check_a_missing_topic(broker):
    async def scene():
        patience = {"topic.metadata.propagation.max.ms": "200"}
        exporter = KafkaExporter(brokers=[broker.address], topic="late", properties=patience)
        batch = numbered(5)
        outcome = await exporter.export_batch(batch)
        assert (outcome.delivered, outcome.retry) == (0, True)
        assert outcome.error_type in ("_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART")
        assert "create the topic" in outcome.cause
        broker.create_topic("late")
        total, _ = await delivered(exporter, batch)
        await exporter.shutdown(1_000)
        return total, exporter.statistics.resent

    assert asyncio.run(scene()) == (5, 0)
    assert found(broker, "late") == Counter(range(5))


def check_limits(broker):
    broker.create_topic("small", max__message__bytes="20000")

    async def scene():
        exporter = KafkaExporter(brokers=[broker.address], topic="small", compression="none")
        batches = [numbered(30, 30 * place, padding=2_000) for place in range(6)]
        batches.append(numbered(1, 180, padding=40_000))
        outcomes = await asyncio.gather(*(delivered(exporter, batch) for batch in batches))
        await exporter.shutdown(1_000)
        return outcomes, exporter.statistics

    outcomes, said = asyncio.run(scene())
    assert [total for total, _ in outcomes] == [30] * 6 + [0]
    assert (outcomes[-1][1].rejected, said.dropped) == (1, {"message_too_large": 1})
    there = found(broker, "small")
    assert set(there) == set(range(180))
    assert there.total() - 180 <= said.resent


def check_logins_and_rights(broker, certificates):
    broker.create_topic("secure")
    ca = certificates.ca
    mutual = {"client_certificate": certificates.client_certificate, "client_key": certificates.client_key}
    ways = [
        {"brokers": [broker.login_address], "certificate": ca, **LOGIN},
        {"brokers": [broker.login_address], "certificate": ca, **LOGIN, "sasl_mechanism": "SCRAM-SHA-256"},
        {"brokers": [broker.tls_address], "certificate": ca, "tls": True, **mutual},
        {
            "brokers": [broker.login_address],
            "certificate": ca,
            "tls": True,
            "sasl_mechanism": "OAUTHBEARER",
            "oauth_token": unsigned_token,
        },
    ]

    async def scene():
        exporters = [KafkaExporter(topic="secure", **way) for way in ways]
        batches = [numbered(5, 5 * place) for place in range(4)]
        calls = (refused(each, batch) for each, batch in zip(exporters, batches, strict=True))
        for outcome in await asyncio.gather(*calls):
            assert (outcome.delivered, outcome.retry) == (0, True)
            assert outcome.error_type.endswith("AUTHORIZATION_FAILED"), outcome
            assert "allow the user" in outcome.cause
        allow(broker, "secure")
        calls = (delivered(each, batch) for each, batch in zip(exporters, batches, strict=True))
        totals = [total for total, _ in await asyncio.gather(*calls)]
        for each in exporters:
            await each.shutdown(1_000)
        return totals

    assert asyncio.run(scene()) == [5, 5, 5, 5]
    assert found(broker, "secure") == Counter(range(20))


def check_refusals(broker, certificates):
    wrong = {**LOGIN, "password": "pass-phrase-of-nobody", "certificate": certificates.ca}
    ways = {
        "_AUTHENTICATION": {"brokers": [broker.login_address], **wrong},
        "_SSL": {"brokers": [broker.login_address], **LOGIN},
    }

    async def scene(**given):
        exporter = KafkaExporter(topic="secure", **given)
        outcome = await exporter.export_batch(numbered(3))
        await exporter.shutdown(1_000)
        return outcome

    for reason, way in ways.items():
        outcome = asyncio.run(scene(**way))
        assert (outcome.delivered, outcome.rejected, outcome.retry) == (0, 0, True)
        assert outcome.error_type == reason, outcome
        assert "check " in outcome.cause
        assert "pass-phrase-of-nobody" not in outcome.cause


def check_a_kill_under_load(broker, tmp_path):
    """With one replica too: a process that is killed leaves what it wrote with the kernel."""
    chosen = fapilog.Settings.load(
        environ={},
        spool={"directory": tmp_path / "spool"},
        buffer={"schedule_delay_millis": 20},
        delivery={
            "breaker_pause_millis": 200,
            "retry": {"initial_backoff_millis": 50, "max_backoff_millis": 500},
        },
    )
    broker.create_topic("killed", 3)
    faster = {"reconnect.backoff.max.ms": 500}
    exporter = KafkaExporter(brokers=[broker.address], topic="killed", properties=faster)
    sent = 0
    with fapilog.LoggerProvider(settings=chosen, exporters=[exporter]) as provider:
        logger = provider.get_logger("load")
        for turn in range(2):
            until = time.monotonic() + 1.5
            while time.monotonic() < until:
                for _ in range(50):
                    logger.emit(body="under load", attributes={"number": sent})
                    sent += 1
                time.sleep(0.005)
                if turn == 0 and time.monotonic() > until - 0.75 and broker.running:
                    broker.kill()
            if not broker.running:
                broker.start()
        assert provider.force_flush(90_000), str(provider.ledger())
        side = provider.ledger().exporters["kafka"]
    assert (side.delivered, side.rejected, side.pending) == (sent, 0, 0)
    there = found(broker, "killed")
    assert set(there) == set(range(sent))
    assert there.total() - sent <= exporter.statistics.resent


def test_a_real_broker_takes_every_record_once_over_tls_with_logins_limits_and_a_kill(
    broker, certificates, tmp_path
):
    """One test, so that workers that share the tests of a file start one broker."""
    check_keys(broker)
    check_a_missing_topic(broker)
    check_limits(broker)
    check_logins_and_rights(broker, certificates)
    check_refusals(broker, certificates)
    check_a_kill_under_load(broker, tmp_path)
