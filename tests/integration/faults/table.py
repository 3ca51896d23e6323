"""The fault matrix as data: what goes wrong, on which ways, and what must have become of the records."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import grpc

from fapilog.testing import Answer, CloseWithoutAnswer, Garbage, Ok, ResetMidBody, SlowBody, Status
from tests.integration.faults.answers import (
    AtMost,
    GrpcAnswer,
    ShortBody,
    Silent,
    SlowHead,
    ThenClose,
    silence,
)
from tests.servers.grpc_receiver import Reply
from tests.servers.toxiproxy.control import Proxy

PROTOBUF, JSON, GRPC, WEBHOOK = "http/protobuf", "http/json", "grpc", "webhook"
EVERY_WAY = (PROTOBUF, JSON, GRPC, WEBHOOK)
HTTP = (PROTOBUF, JSON, WEBHOOK)
IN_AN_HOUR = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
REJECTED_OF_A_REQUEST = 2


class Fate(enum.Enum):
    """What becomes of the records that meet the fault."""

    WAIT = "they wait until the fault is over, and then arrive"
    PASS = "they arrive in spite of it"
    REJECTED = "the receiver refuses them for good, and they are counted as that"
    REJECTED_BUT_TAKEN = "the receiver says that it left all of them out, whatever it did with them"
    PARTLY = "the receiver takes the requests and says that it left some records out"


class Peer(enum.Enum):
    """Who stands behind the proxy, instead of the good receiver, while a fault about TLS lasts."""

    NONE = "no change"
    WRONG_AUTHORITY = "a certificate of an authority that the client does not know"
    EXPIRED = "a certificate that was good until yesterday"
    OTHER_HOST = "a certificate for another host"
    PLAIN = "a receiver that speaks no TLS to a client that does"
    TLS = "a receiver that speaks TLS to a client that does not"


@dataclass(frozen=True)
class Fault:
    """One row of the matrix.

    Attributes:
        name: For people, and for `pytest -k`.
        fate: What becomes of the records.
        http: What the OTLP/HTTP receiver answers.
        grpc: What the gRPC receiver answers.
        network: What happens between them.
        peer: Whom the client reaches instead.
        connections: The most that are served at once; further ones are closed at once.
        hangs: Only the end of an attempt's time ends it.
        answer_lost: The receiver may take records and its answer get lost, so that they arrive twice.
        strains: Requests, one at a time, take so long that blocks wait for each other.
        ways: Where the fault can happen.
        fates: Where the fate is another one.
    """

    name: str
    fate: Fate
    http: Answer | None = None
    grpc: GrpcAnswer | None = None
    network: Callable[[Proxy], None] | None = None
    peer: Peer = Peer.NONE
    connections: int | None = None
    hangs: bool = False
    answer_lost: bool = False
    strains: bool = False
    ways: tuple[str, ...] = EVERY_WAY
    fates: Mapping[str, Fate] = field(default_factory=dict)

    def fate_on(self, way: str) -> Fate:
        """What becomes of the records on one way."""
        return self.fates.get(way, self.fate)

    @property
    def needs_proxy(self) -> bool:
        """Whether something must stand between client and receiver."""
        return self.network is not None or self.peer is not Peer.NONE


def _toxic(kind: str, *streams: str, **attributes: int) -> Callable[[Proxy], None]:
    def poison(proxy: Proxy) -> None:
        for stream in streams:
            proxy.add(kind, stream, **attributes)  # type: ignore[arg-type]

    return poison


def _cut(proxy: Proxy) -> None:
    proxy.refuse()
    proxy.listen()


def _code(code: grpc.StatusCode, details: str = "scripted", **more: object) -> GrpcAnswer:
    return GrpcAnswer(Reply(code, details, **more))  # type: ignore[arg-type]


# Ten times the schedule delay of these tests: a block is sealed long before the one ahead of it is answered.
SLOW_MILLIS = 50
_BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED
_TOO_LARGE = _code(_BUSY, "grpc: received message larger than max (9 vs. 4)")

FAULTS = (
    # What a receiver answers.
    Fault("503", Fate.WAIT, Status(503), _code(grpc.StatusCode.UNAVAILABLE)),
    Fault(
        "503 come back soon",
        Fate.WAIT,
        Status(503, 0),
        _code(grpc.StatusCode.UNAVAILABLE, retry_delay_seconds=0.01),
    ),
    Fault("502", Fate.WAIT, Status(502), _code(grpc.StatusCode.ABORTED)),
    Fault(
        "429 in an hour, in seconds", Fate.WAIT, Status(429, 3_600), _code(_BUSY, retry_delay_seconds=3_600)
    ),
    Fault("429 in an hour, as a date", Fate.WAIT, Status(429, IN_AN_HOUR), ways=HTTP),
    Fault("429 some time", Fate.WAIT, Status(429, "later"), _code(_BUSY), fates={GRPC: Fate.REJECTED}),
    Fault("400", Fate.REJECTED, Status(400), _code(grpc.StatusCode.INVALID_ARGUMENT)),
    Fault("401", Fate.REJECTED, Status(401), _code(grpc.StatusCode.UNAUTHENTICATED)),
    # Not OTLP's list of what may be tried again; for a webhook, every 5xx and 408 are.
    Fault("500", Fate.REJECTED, Status(500), _code(grpc.StatusCode.INTERNAL), fates={WEBHOOK: Fate.WAIT}),
    Fault("408", Fate.REJECTED, Status(408), _code(grpc.StatusCode.UNKNOWN), fates={WEBHOOK: Fate.WAIT}),
    Fault("a redirect", Fate.REJECTED, Status(307, headers={"Location": "http://127.0.0.1:9/"}), ways=HTTP),
    Fault("413 for every size", Fate.REJECTED, Status(413), _TOO_LARGE),
    Fault("413 beyond some size", Fate.PASS, AtMost(3), GrpcAnswer(_TOO_LARGE.reply, at_most=3)),
    Fault(
        "partial success",
        Fate.PARTLY,
        Ok(REJECTED_OF_A_REQUEST, "too old"),
        GrpcAnswer(Reply(rejected=REJECTED_OF_A_REQUEST, message="too old"), takes=True),
        fates={WEBHOOK: Fate.PASS},  # it is no OTLP exporter, and a 2xx is its whole answer
    ),
    Fault(
        "a partial success beyond all there is",
        Fate.REJECTED_BUT_TAKEN,
        Ok(1_000_000, "all"),
        GrpcAnswer(Reply(rejected=1_000_000, message="all"), takes=True),
        fates={WEBHOOK: Fate.PASS},
    ),
    Fault("a warning", Fate.PASS, Ok(0, "deprecated"), GrpcAnswer(Reply(message="deprecated"), takes=True)),
    # Answers that are none.
    Fault("garbage in a 200", Fate.PASS, Garbage(), GrpcAnswer(Reply(body=b"\xff\xff\xff"), takes=True)),
    Fault("garbage instead of HTTP", Fate.WAIT, Garbage(instead_of_http=True), answer_lost=True, ways=HTTP),
    Fault("slow loris in the head", Fate.WAIT, SlowHead(), hangs=True, answer_lost=True, ways=HTTP),
    # The status was read: a body that does not come cannot take it back.
    Fault("slow loris in the body", Fate.PASS, SlowBody(0.05), hangs=True, ways=HTTP),
    Fault("truncated answer", Fate.PASS, ShortBody(), ways=HTTP),
    # The reset may overtake the status.
    Fault("reset in the answer", Fate.PASS, ResetMidBody(True), answer_lost=True, ways=HTTP),
    Fault("closed without an answer", Fate.WAIT, CloseWithoutAnswer(), ways=HTTP),
    Fault("closed, answer lost", Fate.WAIT, CloseWithoutAnswer(True), answer_lost=True, ways=HTTP),
    Fault("silent", Fate.WAIT, Silent(False), GrpcAnswer(Reply(before=silence())), hangs=True),
    Fault(
        "silent, answer lost",
        Fate.WAIT,
        Silent(True),
        GrpcAnswer(Reply(before=silence()), True),
        hangs=True,
        answer_lost=True,
    ),
    Fault("stale keep-alive", Fate.PASS, ThenClose(), ways=HTTP),
    Fault("few connections", Fate.PASS, connections=1),
    # What happens on the way.
    Fault("refused", Fate.WAIT, network=Proxy.refuse),
    Fault("cut while idle", Fate.PASS, network=_cut),
    Fault("reset mid-request", Fate.WAIT, network=_toxic("reset_peer", "upstream", timeout=0)),
    Fault("closed mid-request", Fate.WAIT, network=_toxic("limit_data", "upstream", bytes=150)),
    Fault(
        "reset before the answer",
        Fate.WAIT,
        network=_toxic("reset_peer", "downstream", timeout=0),
        answer_lost=True,
    ),
    Fault(
        "answer cut short", Fate.WAIT, network=_toxic("limit_data", "downstream", bytes=9), answer_lost=True
    ),
    Fault("half open", Fate.WAIT, hangs=True, network=_toxic("timeout", "upstream", "downstream", timeout=0)),
    Fault(
        "half open, answer lost",
        Fate.WAIT,
        hangs=True,
        network=_toxic("timeout", "downstream", timeout=0),
        answer_lost=True,
    ),
    Fault("slow line", Fate.PASS, network=_toxic("bandwidth", "upstream", rate=100)),
    Fault(
        "long line",
        Fate.PASS,
        network=_toxic("latency", "downstream", latency=SLOW_MILLIS),
        strains=True,
    ),
    Fault(
        "small pieces",
        Fate.PASS,
        network=_toxic("slicer", "upstream", "downstream", average_size=64, delay=50),
    ),
    # TLS.
    *(Fault(f"TLS: {peer.value}", Fate.WAIT, peer=peer) for peer in list(Peer)[1:]),
)
