"""The ways to deliver log records that are measured, in the order of the report."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import delivered_kafka as kafka
from benchmarks import delivered_ours as ours
from benchmarks import delivered_peers as peers
from benchmarks.null_server.server import QUIET_SECONDS

SPLUNK, ELASTICSEARCH = "Delivered to Splunk", "Delivered to Elasticsearch"
KAFKA = "Delivered to Kafka"
QUEUE_NOTE = "with a queue without end (`queue_size=0`), sent as one request at its close"
CALL_NOTE = "a connection and a request for each record, in the call"
DROP_NOTE = "drops what its queue of 5,000 has no room for"
MESSAGE_NOTE = "a message for each record, of documents that are ready"
COLLECTOR_NOTE = "fed by fapilog over OTLP; its CPU alone, that of the application comes on top"


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes:
        library: Name in the report.
        group: Where to.
        start: Prepares; raises ImportError or NotInstalledError when something is missing.
        counts: Records of a round and of a quick one: a second or two of work.
        official: Whether it is a Python peer; ours is compared with the fastest of them.
        note: What a reader must know.
        quiet_seconds: Without a further record for so long, what is missing is lost. The Collector takes
            records before it sends them, and may pause in between.
    """

    library: str
    group: str
    start: ours.Start
    counts: tuple[int, int] = (40_000, 2_000)
    official: bool = True
    note: str = ""
    quiet_seconds: float = QUIET_SECONDS

    @property
    def counted_by_server(self) -> bool:
        """Whether the null server counts; otherwise the way asks its broker itself."""
        return self.group != KAFKA


OURS = (400_000, 10_000)
WAYS: dict[str, Way] = {
    f"{way.group}: {way.library}": way
    for way in (
        Way("fapilog", SPLUNK, ours.fapilog_splunk, OURS, official=False),
        Way(
            "Collector splunk_hec",
            SPLUNK,
            ours.collector_splunk,
            (150_000, 10_000),
            official=False,
            note=COLLECTOR_NOTE,
            quiet_seconds=20.0,
        ),
        Way("splunk-handler", SPLUNK, peers.splunk_handler(queue_size=0), note=QUEUE_NOTE),
        Way("splunk-handler, defaults", SPLUNK, peers.splunk_handler(), official=False, note=DROP_NOTE),
        Way(
            "splunk-hec-handler",
            SPLUNK,
            peers.handler(peers.splunk_hec_handler, formats=False),
            (1_000, 100),
            note=CALL_NOTE,
        ),
        Way("fapilog", ELASTICSEARCH, ours.fapilog_elasticsearch("otel"), OURS, official=False),
        Way("fapilog, ecs", ELASTICSEARCH, ours.fapilog_elasticsearch("ecs"), OURS, official=False),
        Way(
            "elasticsearch streaming_bulk",
            ELASTICSEARCH,
            peers.bulk_helper("elasticsearch", "streaming_bulk"),
        ),
        Way(
            "elasticsearch streaming_bulk, orjson",
            ELASTICSEARCH,
            peers.bulk_helper("elasticsearch", "streaming_bulk", orjson=True),
        ),
        Way(
            "elasticsearch parallel_bulk", ELASTICSEARCH, peers.bulk_helper("elasticsearch", "parallel_bulk")
        ),
        Way("elasticsearch async_streaming_bulk", ELASTICSEARCH, peers.async_bulk_helper),
        Way(
            "opensearch-py streaming_bulk", ELASTICSEARCH, peers.bulk_helper("opensearchpy", "streaming_bulk")
        ),
        Way("fapilog", KAFKA, kafka.fapilog_kafka, OURS, official=False),
        Way("confluent-kafka, json", KAFKA, kafka.producer(), note=MESSAGE_NOTE),
        Way("confluent-kafka, orjson", KAFKA, kafka.producer(orjson=True), note=MESSAGE_NOTE),
    )
}
