"""Requests as nobody sends them: any method, path, query, header and body, and secrets among them."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

# Synthetic: a test number of a card network, and words that no rule makes up.
CARD = "4111111111111111"
TOKEN = "gh" + "p_" + "R4nd0mR4nd0mR4nd0mR4nd0mR4nd0mR4nd0m"

HEADERS = (
    b"x-correlation-id",
    b"x-request-id",
    b"traceparent",
    b"tracestate",
    b"baggage",
    b"host",
    b"user-agent",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"transfer-encoding",
    b"x-forwarded-for",
    b"cookie",
    b"authorization",
    b"accept",
)
TRACEPARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

names = st.sampled_from(HEADERS) | st.binary(min_size=1, max_size=12).map(bytes.lower)
header_values = (
    st.binary(max_size=40)
    | st.sampled_from(
        [
            b"",
            b"r-1",
            b" r-1\t",
            b"r 1",
            b"r\r\nx: y",
            "größe".encode(),
            "größe".encode("latin-1"),
            b"\xff\xfe\x00",
            b"x" * 200,
            TRACEPARENT,
            TRACEPARENT.upper(),
            TRACEPARENT[:-1],
            b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01",
            b"-1",
            b"9" * 40,
            b"5",
            "\u0665".encode(),
            b"application/json",
            b"application/json; charset=klingon",
            b"multipart/form-data",
            b"[::1]:80",
            b"a:b:c",
            b"user:" + b"pass@host",
            CARD.encode(),
            b"Bearer " + TOKEN.encode(),
        ]
    )
    | st.sampled_from([TRACEPARENT, CARD.encode()]).flatmap(
        lambda value: st.integers(0, len(value)).map(lambda end: value[:end])
    )
)
headers = st.lists(st.tuples(names, header_values), max_size=6)
# Servers decode paths from UTF-8 and leave nothing else in them; here lone surrogates may be there, too.
paths = st.sampled_from(
    [
        "/",
        "/orders",
        "/orders/1",
        "/orders/1/payment",
        "/orders/tea",
        "/login",
        "/healthz",
        "/openapi.json",
        f"/orders/{CARD}",
        f"/shop/{CARD}/{TOKEN}",
        "/orders/" + "9" * 40,
        "",
        "*",
        "//",
        "/orders/%00",
        "/orders/../login",
    ]
) | st.text(max_size=30).map(lambda text: "/" + text)
queries = st.binary(max_size=40) | st.sampled_from(
    [
        b"",
        b"card=" + CARD.encode(),
        b"token=" + TOKEN.encode(),
        b"a=%ff%fe&b=%zz",
        b"page=1&page=2",
        b"\xff\xff",
        b"password=" + TOKEN.encode(),
    ]
)
methods = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "get", "BREW"]
) | st.text(min_size=1, max_size=8)
bodies = st.lists(
    st.binary(max_size=60)
    | st.sampled_from(
        [
            b"",
            b"{}",
            b"{",
            b'{"user": "ann", "password": "' + TOKEN.encode() + b'"}',
            b'{"customer": "c", "card": "' + CARD.encode() + b'", "item": "tea"}',
            b'{"customer": "c", "card": "' + CARD.encode() + b'!", "count": -1}',
            b"\xff" * 10,
        ]
    ),
    max_size=3,
)


@dataclass
class AnyRequest:
    """A scope and what the server would hand over of the body; it may go away in the middle."""

    scope: dict[str, Any]
    body: list[bytes]
    goes_away: bool
    sent: list[Any] = field(default_factory=list)

    def messages(self) -> list[dict[str, Any]]:
        parts = self.body or [b""]
        last = len(parts) - 1
        found: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": self.goes_away or place < last}
            for place, part in enumerate(parts)
        ]
        return [*found, {"type": "http.disconnect"}] if self.goes_away else found


@st.composite
def any_requests(draw: Any) -> AnyRequest:
    path = draw(paths)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": draw(st.sampled_from(["1.0", "1.1", "2", "3"])),
        "method": draw(methods),
        "scheme": draw(st.sampled_from(["http", "https"])),
        "path": path,
        "raw_path": path.encode("utf-8", "replace"),
        "query_string": draw(queries),
        "root_path": "",
        "headers": draw(headers),
        "client": draw(
            st.sampled_from([None, ("203.0.113.7", 50_000), ("::1", 1), ("", 0), ["203.0.113.7", 5]])
        ),
        "server": draw(st.sampled_from([None, ("127.0.0.1", 8_000), ("/run/socket", None)])),
    }
    for optional in draw(st.lists(st.sampled_from(["client", "server", "raw_path"]), max_size=2)):
        scope.pop(optional, None)
    return AnyRequest(scope, draw(bodies), draw(st.booleans()))
