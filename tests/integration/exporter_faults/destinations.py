"""Destinations of one form: each misbehaves as told, goes away and comes back, and says what it took."""

import threading
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any, Self

from fapilog.testing import CloseWithoutAnswer, Hold, Ok, OtlpReceiver, SlowBody, Status
from fapilog_exporter_elasticsearch import ElasticsearchExporter
from fapilog_exporter_splunk import SplunkHecExporter
from fapilog_exporter_syslog import SyslogExporter
from tests.servers.bulk import BulkServer
from tests.servers.bulk import Fault as BulkFault
from tests.servers.hec import TOKEN, Hec, HecServer, Token
from tests.servers.hec import Fault as HecFault
from tests.servers.syslog import Fault as SyslogFault
from tests.servers.syslog import SyslogServer

# Of one request where a timeout is the fault, and where it must not become one on a busy machine.
SHORT_MILLIS, AMPLE_MILLIS = 400, 20_000
RETRY_AFTER = {"Retry-After": "1"}
SLOW_SECONDS = 0.1
# How often a fault happens: with the requests that come first.
TIMES = 2


class Destination(ABC):
    """A server and the exporter that sends to it.

    Args:
        fault: What it will be told.

    Attributes:
        refused: Whether every second number is refused for good.
        padding_bytes: Of each record.
        padding_of_refused_bytes: Of those that are refused.
    """

    name: str
    refused = False
    padding_bytes = 0
    padding_of_refused_bytes = 0

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.timeout_millis = SHORT_MILLIS if self.fault == "timeout" else AMPLE_MILLIS
        self.release = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.release.set()
        self.stop()

    @abstractmethod
    def start(self) -> None:
        """Listens, after `stop` on the same port, with what it has."""

    @abstractmethod
    def stop(self) -> None:
        """Goes away with all connections."""

    @abstractmethod
    def exporter(self) -> Any:
        """What goes into `exporters=[...]`."""

    @abstractmethod
    def variables(self) -> dict[str, str]:
        """The same by variables, for a process of its own."""

    @abstractmethod
    def misbehave(self) -> None:
        """Does so at the next requests."""

    def recover(self) -> None:  # noqa: B027 - most do so by themselves
        """Does so no more."""

    @abstractmethod
    def uids(self) -> list[tuple[int, str]]:
        """What it took: numbers and uids of records."""

    def settings(self) -> dict[str, Any]:
        """Settings of the pipeline that this exporter needs."""
        return {}

    def counted_repeats(self, exporter: Any) -> int | None:
        """How many records the exporter says may have come twice; None: it does not say."""
        return None

    def numbers(self) -> Counter[int]:
        """How often each number arrived."""
        return Counter(number for number, _ in self.uids())


class Otlp(Destination):
    """OTLP over HTTP, the native exporter."""

    name = "otlp"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.server: OtlpReceiver | None = None
        self.away = False

    def start(self) -> None:
        if self.server is None:
            self.server = OtlpReceiver()
            self.server.__enter__()
        elif self.away:
            self.server.accept_again()
        self.away = False

    def stop(self) -> None:
        assert self.server is not None
        self.server.refuse_connections()
        self.away = True

    def __exit__(self, *error: object) -> None:
        self.release.set()
        assert self.server is not None
        self.server.close()

    def exporter(self) -> Any:
        return self.name

    def settings(self) -> dict[str, Any]:
        assert self.server is not None
        retry = {"initial_backoff_millis": 1, "max_backoff_millis": 20}
        given = {"endpoint": self.server.endpoint, "retry": retry, "timeout_millis": self.timeout_millis}
        return {"otlp": given}

    def variables(self) -> dict[str, str]:
        assert self.server is not None
        return {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": self.server.logs_endpoint}

    def misbehave(self) -> None:
        assert self.server is not None
        answers = {
            "reset_before": CloseWithoutAnswer(),
            "reset_after": CloseWithoutAnswer(take_records=True),
            "timeout": _TakenAndHeld(self.release),
            "throttled": Status(429, retry_after=1),
            "unavailable": Status(503),
            "slow": SlowBody(pause_seconds=SLOW_SECONDS / 20),
            "half_refused": Ok(rejected=self.rejected_by_count, message="odd ones"),
        }
        self.server.answer_with(*[answers[self.fault]] * (1 if self.fault == "half_refused" else TIMES))

    # OTLP says how many were refused, not which.
    rejected_by_count = 10

    def uids(self) -> list[tuple[int, str]]:
        assert self.server is not None
        return [
            (record.attributes["number"], record.attributes["log.record.uid"])
            for record in self.server.log_records
        ]


class _TakenAndHeld:
    """Takes the records; the answer comes when nobody waits for it any more."""

    def __init__(self, release: threading.Event) -> None:
        self.release = release

    def send(self, exchange: Any) -> None:
        exchange.accept_records()
        Hold(self.release, CloseWithoutAnswer()).send(exchange)


class Webhook(Otlp):
    """Posts of JSON, here in the form that an OTLP receiver takes."""

    name = "webhook"

    def settings(self) -> dict[str, Any]:
        assert self.server is not None
        given = {"url": self.server.logs_endpoint, "form": "otlp_json", "timeout_millis": self.timeout_millis}
        return {"webhook": given}

    def variables(self) -> dict[str, str]:
        assert self.server is not None
        return {"FAPILOG_WEBHOOK_URL": self.server.logs_endpoint, "FAPILOG_WEBHOOK_FORM": "otlp_json"}


class Splunk(Destination):
    """Splunk's HTTP Event Collector, by its conformance server."""

    name = "splunk_hec"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.server = HecServer(Hec({TOKEN: Token(indexes=frozenset({"main"}))}))
        self._late = 0
        by_the_rules = self.server.hec.answer

        def answer(request: Any) -> Any:
            said = by_the_rules(request)
            if self._late and request.method == "POST":
                self._late -= 1
                self.release.wait(20)
            return said

        self.server.hec.answer = answer  # type: ignore[method-assign]

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def exporter(self) -> Any:
        return SplunkHecExporter(url=self.server.url, token=TOKEN, timeout_millis=self.timeout_millis)

    def variables(self) -> dict[str, str]:
        return {"FAPILOG_SPLUNK_URL": self.server.url, "FAPILOG_SPLUNK_TOKEN": TOKEN}

    def misbehave(self) -> None:
        faults = {
            "reset_before": HecFault(take=0, status=0),
            "reset_after": HecFault(take=None, status=0),
            "throttled": HecFault(status=429, code=None, headers=RETRY_AFTER),
            "unavailable": HecFault(status=503),
        }
        if self.fault == "timeout":
            self._late = TIMES
        elif self.fault == "slow":
            self.server.hec.choose = _slowly
        elif self.fault == "half_refused":
            self.refused = True
        else:
            self.server.hec.faults.extend([faults[self.fault]] * TIMES)

    def uids(self) -> list[tuple[int, str]]:
        return [
            (event["fields"]["number"], event["fields"]["log.record.uid"]) for event in self.server.hec.events
        ]

    def counted_repeats(self, exporter: Any) -> int | None:
        return int(exporter.statistics.resent)


def _slowly(request: object) -> None:
    threading.Event().wait(SLOW_SECONDS)


class Elasticsearch(Destination):
    """Bulk requests, by the conformance server."""

    name = "elasticsearch"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.server = self._made()

    def _made(self, **given: Any) -> BulkServer:
        def verdict(sent: Any) -> int | None:
            return 400 if self.refused and sent.document["attributes"]["number"] % 2 else None

        return BulkServer(verdict=verdict, **given)

    def start(self) -> None:
        if self.server._thread.ident is not None:
            self.server = self._made(port=self.server.port, data_of=self.server)
        self.server.__enter__()

    def stop(self) -> None:
        self.server.__exit__()

    def exporter(self) -> Any:
        given = {"timeout_millis": self.timeout_millis, "dead_node_millis": 1, "max_dead_node_millis": 20}
        return ElasticsearchExporter(urls=[self.server.url], **given)

    def variables(self) -> dict[str, str]:
        return {"FAPILOG_ELASTICSEARCH_URLS": self.server.url}

    def misbehave(self) -> None:
        faults = {
            "reset_before": BulkFault(),
            "reset_after": BulkFault(after=True),
            "timeout": BulkFault(after=True, seconds=3 * SHORT_MILLIS / 1_000),
            "throttled": BulkFault(429, RETRY_AFTER),
            "unavailable": BulkFault(503),
            "slow": BulkFault(200, after=True, seconds=SLOW_SECONDS),
        }
        if self.fault == "half_refused":
            self.refused = True
        else:
            self.server.script(*[faults[self.fault]] * TIMES)

    def uids(self) -> list[tuple[int, str]]:
        # What was indexed; `taken` says how often.
        return [
            (document["attributes"]["number"], key[1])
            for key, document in self.server.documents.items()
            for _ in range(self.server.taken[key])
        ]

    def counted_repeats(self, exporter: Any) -> int | None:
        return int(exporter.statistics.duplicates)


class Syslog(Destination):
    """RFC 5424 over TCP, by a strict server."""

    name = "syslog"

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        # Small, so that the kernel does not acknowledge what a stalled server never reads.
        self.server = SyslogServer(receive_bytes=16_384)

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.release.set()
        self.server.stop()

    def exporter(self) -> Any:
        # A reset is noticed in time although the server's thread waits for its turn.
        return SyslogExporter(
            endpoint=self.server.endpoint, timeout_millis=self.timeout_millis, settle_millis=1_000
        )

    def variables(self) -> dict[str, str]:
        return {"FAPILOG_SYSLOG_ENDPOINT": self.server.endpoint}

    def misbehave(self) -> None:
        if self.fault == "timeout":
            self.padding_bytes = 4_000
        if self.fault == "slow":
            self.server.pause_seconds = SLOW_SECONDS
            return
        faults = {
            "reset_before": SyslogFault(take=0),
            "reset_after": SyslogFault(take=7),
            "timeout": SyslogFault(take=3, end="stall"),
        }
        self.server.faults.extend([faults[self.fault]] * TIMES)
        # Faults are those of connections: let the next ones begin.
        self.server.half_close()

    def uids(self) -> list[tuple[int, str]]:
        found = [message.element("attributes") for message in list(self.server.messages)]
        return [(int(each["number"]), each["log.record.uid"]) for each in found]

    def counted_repeats(self, exporter: Any) -> int | None:
        return int(exporter.statistics.resent)


DESTINATIONS: dict[str, type[Destination]] = {
    each.name: each for each in (Otlp, Webhook, Splunk, Elasticsearch, Syslog)
}
