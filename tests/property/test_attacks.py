"""Log calls made to be slow: with scanning on, twice the text takes about twice the time of the thread."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.property.conftest import Bench

PIECES = (
    "1",
    "1 ",
    "a@",
    "a@b.org ",
    ":::",
    "eyJ",
    "<",
    "%",
    "%40",
    '{"',
    '\\"',
    "-----BEGIN",
    "-----BEGIN PRIVATE KEY-----",
    "0x",
    "a.b.c",
    "://",
    "https://a:b@",
    "password=",
    "4111 1111 1111 1111 ",
    "[REDACTED:",
    "\N{FULLWIDTH DIGIT ONE}",
    "\N{ZERO WIDTH SPACE}1",
)
# A record is cut at 64 KiB: below that, and far above.
SIZES = (1 << 14, pytest.param(1 << 20, marks=pytest.mark.long))


def in_message(bench: Bench, text: str) -> None:
    bench.log.info(text)


def in_attribute(bench: Bench, text: str) -> None:
    bench.log.info("x", note=text)


def in_lists(bench: Bench, text: str) -> None:
    bench.log.info("x", items=[text[at : at + 64] for at in range(0, min(len(text), 1 << 15), 64)])


def in_exception(bench: Bench, text: str) -> None:
    bench.log.info("x", exc_info=ValueError(text))


def in_json(bench: Bench, text: str) -> None:
    bench.log.info(json.dumps({"a": text}))


@pytest.fixture(scope="module")
def scanning() -> Iterator[Bench]:
    made = Bench(redaction="scan")
    yield made
    made.provider.shutdown()


def best(bench: Bench, carry: Callable[[Bench, str], Any], text: str) -> float:
    """The least time of the thread, in seconds; nobody else's work is in it."""
    times = []
    for _ in range(3):
        start = time.thread_time()
        carry(bench, text)
        times.append(time.thread_time() - start)
    bench.encoded.clear()
    return min(times)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("carry", [in_message, in_attribute, in_lists, in_exception, in_json])
def test_twice_the_text_takes_about_twice_the_time(
    scanning: Bench, carry: Callable[[Bench, str], Any], size: int
) -> None:
    slow = []
    for piece in PIECES:
        half, whole = piece * (size // len(piece) // 2), piece * (size // len(piece))
        # The best of three; a call of some microseconds is as good as none.
        shares = (best(scanning, carry, whole) / max(best(scanning, carry, half), 5e-6) for _ in range(3))
        if not any(share <= 3 for share in shares):
            slow.append(piece)
    assert slow == []


@pytest.mark.parametrize("piece", PIECES[::4])
def test_a_record_is_never_larger_than_its_cap(scanning: Bench, piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    for carry in (in_message, in_attribute, in_exception):
        carry(scanning, text)
    sizes = [len(record) for record in scanning.encoded]
    scanning.encoded.clear()
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 16
