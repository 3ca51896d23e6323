"""`python -m examples.scale_out`: everything on this machine, with a kill on the way."""

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from examples.scale_out.hops import GroupCollector, start_service, wait_until
from examples.scale_out.indexer import Indexer
from tests.servers.go_program import GoMissing
from tests.servers.kafka import KafkaBroker
from tests.servers.maven import JavaServerMissing
from tests.servers.opensearch import OpenSearch
from tests.servers.otelcol.build import build

PARTITIONS = 4
TEMPLATE = {
    "index_patterns": ["logs-*"],
    "data_stream": {},
    "template": {"settings": {"number_of_replicas": 0}},
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.scale_out")
    parser.add_argument("--services", type=int, default=3, help="how many processes")
    parser.add_argument("--records", type=int, default=2_000, help="of each service")
    parser.add_argument("--per-second", type=int, default=500, help="of each service")
    given = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            play(stack, Path(folder), given.services, given.records, given.per_second)
    except (JavaServerMissing, GoMissing) as missing:
        sys.exit(f"this example needs the servers of the tests: {missing}")


def play(stack: ExitStack, folder: Path, services: int, records: int, per_second: int) -> None:
    binary = build()
    broker = stack.enter_context(KafkaBroker(folder / "kafka"))
    broker.create_topic("otlp_logs", PARTITIONS)
    opensearch = stack.enter_context(OpenSearch(folder / "opensearch"))
    opensearch.ask("PUT", "/_index_template/logs", TEMPLATE)
    indexer = stack.enter_context(Indexer(opensearch.url))
    collectors = []
    for number in range(2):
        log = folder / f"collector-{number}.log"
        collectors.append(GroupCollector(binary, broker.address, indexer.url, log))
        collectors[-1].start()
        stack.callback(collectors[-1].kill)
    running = []
    for number in range(services):
        running.append(
            start_service(f"orders-{number}", broker.address, folder / "spool", records, per_second)
        )
        stack.callback(running[-1].kill)
    total = services * records

    def found() -> int:
        opensearch.ask("POST", "/logs-orders*/_refresh")
        return int((opensearch.ask("GET", "/logs-orders*/_count")[2] or {}).get("count", 0))

    def half() -> str:
        return f"{found()} of {total} documents; a Collector says: {collectors[0].written()}"

    wait_until(lambda: found() >= total // 4, 120, half)
    print("a quarter has arrived: killing the broker and a Collector")
    broker.kill()
    collectors[0].kill()
    broker.start()
    collectors[0].start()
    said = [service.wait(180) for service in running]
    for number, each in enumerate(said):
        print(f"orders-{number}: delivered {each['delivered']} to Kafka, rejected {each['rejected']}")
    print(f"kafka: {len(broker.messages('otlp_logs'))} messages in {PARTITIONS} partitions")
    wait_until(lambda: found() >= total, 120, half)
    print(f"opensearch: {found()} of {total} documents, {indexer.repeats} repeats refused by their _id")


if __name__ == "__main__":
    main()
