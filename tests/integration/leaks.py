"""What the leak matrix logs and where it looks: secrets of every type, carriers, bytes of every exporter."""

import gzip
import json
import logging
import string
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from backports import zstd
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

import fapilog
from fapilog import ExportOutcome, LogBatch
from tools import redaction_corpus

# A shorter value stands in a timestamp by chance: it is looked for with the words before it.
SHORTEST_ALONE = 9
WORDS_BEFORE = 6
# What JSON, logfmt and terminals leave as it is.
PLAIN = set(string.ascii_letters + string.digits + " .,:;-_/+=@#()")
# Hidden without a word of configuration, too.
ALWAYS_HIDDEN = {"URL_USERINFO", "URL_QUERY_SECRET"}


class Secret(NamedTuple):
    """A sensitive value in a sentence.

    Attributes:
        type: Its type.
        text: The sentence.
        needle: What must not be seen.
    """

    type: str
    text: str
    needle: str


def secrets() -> list[Secret]:
    """One sentence of the corpus for each type, short and in plain characters where there is one."""
    chosen: dict[str, Secret] = {}
    for record in redaction_corpus.read():
        text = record["text"]
        for span in record["spans"]:
            if span["path"] != "text" or len(text) > 150 or not set(text) <= PLAIN:
                continue
            short = span["end"] - span["start"] < SHORTEST_ALONE
            start = max(0, span["start"] - WORDS_BEFORE) if short else span["start"]
            chosen.setdefault(span["type"], Secret(span["type"], text, text[start : span["end"]]))
    return sorted(chosen.values())


def raise_and_log(log: Any, text: str) -> None:
    try:
        try:
            raise KeyError(text)
        except KeyError as error:
            failure = ValueError(text)
            failure.add_note(text)
            raise failure from error
    except ValueError:
        log.exception("failed")


def by_logging(text: str) -> None:
    logger = logging.getLogger("leaks")
    logger.warning("%s", text, extra={"note": text})
    logger.warning("two %s", {"inside": text})


def by_the_api(text: str) -> None:
    body = {"text": text, "list": [text]}
    record = LogRecord(
        body=body, severity_number=SeverityNumber.INFO, attributes={"note": text}, event_name=text
    )
    get_logger("api").emit(record)


Carrier = Callable[[str], object]


def carriers() -> dict[str, Carrier]:
    """Every place of a log record that takes a text."""
    log = fapilog.get_logger("leaks")
    return {
        "message": log.info,
        "argument": lambda text: log.info("got %s", text),
        "attribute": lambda text: log.info("x", note=text),
        "nested": lambda text: log.info("x", outer={"middle": [{"inner": text}]}),
        "list": lambda text: log.info("x", items=["a", text]),
        "bytes": lambda text: log.info("x", raw=text.encode()),
        "key": lambda text: log.info("x", **{text: 1}),
        "nested key": lambda text: log.info("x", outer={text: 1}),
        "bound": lambda text: log.bind(note=text).info("x"),
        "event name": lambda text: log.info("x", event_name=text),
        "JSON": lambda text: log.info(json.dumps({"inside": text})),
        "exception": lambda text: raise_and_log(log, text),
        "scope": lambda text: fapilog.get_logger(text).info("x"),
        "logging": by_logging,
        "api": by_the_api,
    }


def log_all(given: Iterable[Secret], chosen: dict[str, Carrier]) -> None:
    """Every secret by every carrier."""
    for secret in given:
        for carry in chosen.values():
            carry(secret.text)


class Keeps:
    """An exporter in Python that keeps what it is given."""

    name = "keeps"

    def __init__(self) -> None:
        self.bytes = b""

    async def export_batch(self, batch: LogBatch) -> ExportOutcome:
        self.bytes += batch.otlp_bytes()
        self.bytes += "".join(f"{one.log_record.body} {one.log_record.attributes}" for one in batch).encode()
        return ExportOutcome(delivered=len(batch))


def unpacked(body: bytes, encoding: str) -> bytes:
    """A request's body as it was before compression."""
    if encoding == "gzip":
        return gzip.decompress(body)
    return zstd.decompress(body) if encoding == "zstd" else body


def files_below(folder: Path) -> bytes:
    """All bytes in a folder, complete logs unpacked."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return b"\n".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in found
    )


@contextmanager
def telemetry(end_millis: int = 10_000, **settings: Any) -> Iterator[fapilog.Telemetry]:
    """`configure_otel`, shut down at the end."""
    made = fapilog.configure_otel("shop", capture_location="never", **settings)
    try:
        yield made
    finally:
        made.shutdown(end_millis)


def seen(data: bytes, given: Iterable[Secret]) -> dict[str, str]:
    """The secrets that stand in the bytes, with what stands around them."""
    found = {}
    for secret in given:
        at = data.find(secret.needle.encode())
        if at >= 0:
            found[secret.type] = data[max(0, at - 60) : at + 60].decode("utf-8", "replace")
    return found
