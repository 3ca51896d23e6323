"""What must hold whatever is logged: the neighbours intact, the ledger balanced, no record above its cap."""

from collections.abc import Iterator
from contextlib import contextmanager

from fapilog.testing.decoding import ReceivedLogRecord, decode_log_record
from tests.property.conftest import Bench

RECORD_BYTES = 65_536


@contextmanager
def between_neighbours(bench: Bench) -> Iterator[list[ReceivedLogRecord]]:
    """Log a record before and one after; fill the list with what came between and check what always holds."""
    bench.encoded.clear()
    before = bench.provider.ledger()
    bench.log.info("before", a=1)
    between: list[ReceivedLogRecord] = []
    yield between
    bench.log.info("after", b=[2])
    sizes = [len(record) for record in bench.encoded]
    first, *rest, last = [decode_log_record(record) for record in bench.encoded]
    ledger = bench.provider.ledger()
    between += rest
    assert (first.body, first.attributes) == ("before", {"a": 1})
    assert (last.body, last.attributes) == ("after", {"b": [2]})
    assert ledger.balanced
    assert ledger.accepted - before.accepted == len(sizes)
    assert max(sizes) <= RECORD_BYTES
