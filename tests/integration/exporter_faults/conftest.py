"""Destinations by their names; skipped, with the reason, where a real server cannot be had."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.exporter_faults.destinations import DESTINATIONS, Destination
from tests.integration.exporter_faults.kafka_destination import Kafka
from tests.servers.kafka import KafkaBroker
from tests.servers.kafka_proxy import KafkaProxy
from tests.servers.maven import JavaServerMissing
from tests.servers.ports import free_ports

# Everybody may do everything that is not denied.
RIGHTS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:nobody",
    "allow.everyone.if.no.acl.found": "true",
}


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaBroker, KafkaProxy]]:
    proxy = KafkaProxy(free_ports(1)[0])
    try:
        directory = tmp_path_factory.mktemp("broker")
        broker = KafkaBroker(directory, properties=RIGHTS, proxy_port=proxy.port)
    except JavaServerMissing as missing:
        pytest.skip(str(missing))
    proxy.target = broker.proxied_port
    with broker:
        yield broker, proxy


@pytest.fixture
def destination_of(request: pytest.FixtureRequest) -> Callable[[str, str], Destination]:
    """Makes the destination of a name, told a fault."""

    def made(name: str, fault: str) -> Destination:
        if name == Kafka.name:
            return Kafka(fault, *request.getfixturevalue("kafka"))
        return DESTINATIONS[name](fault)

    return made
