"""Kafka's column of the table, by a real broker with a proxy before it that breaks connections."""

from pathlib import Path

import pytest

from tests.integration.exporter_faults.kafka_destination import Kafka
from tests.integration.exporter_faults.table import CELLS
from tests.integration.exporter_faults.test_exporter_faults import check_cell
from tests.integration.exporter_faults.test_killed_processes import check_killed
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


@pytest.mark.timeout(400)  # Java starts slowly where others build
def test_every_cell_of_kafka_is_as_the_table_says(tmp_path: Path) -> None:
    """One test, so that workers that share the tests of a file start one broker."""
    proxy = KafkaProxy(free_ports(1)[0])
    try:
        broker = KafkaBroker(tmp_path / "broker", properties=RIGHTS, proxy_port=proxy.port)
    except JavaServerMissing as missing:
        pytest.skip(str(missing))
    proxy.target = broker.proxied_port
    faults = [fault for name, fault in CELLS if name == Kafka.name]
    assert len(faults) == 7
    with broker:
        for fault in faults:
            check_cell(Kafka(fault, broker, proxy))
        check_killed(Kafka("killed", broker, proxy), tmp_path)
