"""What finds sensitive values, each in a process: `python -m benchmarks.redaction_peers NAME LIMIT ROUNDS`.

A peer takes a text and its key and answers with ranges. The output is one JSON object: the findings of the
first records of the corpus, and the best seconds of a round over them, the loop in Python included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.servers import ROOT
from benchmarks.surroundings import clean_environment

# Text and key (empty for the message) to ranges in code points.
Find = Callable[[str, str], Iterable[tuple[int, int]]]
# What presidio's maintainers advise against in logs: they hit nearly every line.
NOT_FOR_LOGS = {"DATE_TIME", "URL", "UUID"}


def presidio() -> Find:
    """Pattern recognisers on a blank tokenizer, without models of language; score of at least 0.4."""
    import spacy
    import tldextract
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    # Its list of suffixes as installed, not from the network.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

    @spacy.Language.component("lower_case_lemmas")  # type: ignore[untyped-decorator,unused-ignore]
    def lemmas(document: Any) -> Any:
        for token in document:
            token.lemma_ = token.lower_
        return document

    blank = spacy.blank("en")
    blank.add_pipe("lower_case_lemmas")
    engine = SpacyNlpEngine()
    engine.nlp = {"en": blank}
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=engine)
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    wanted = [name for name in analyzer.get_supported_entities("en") if name not in NOT_FOR_LOGS]

    def find(text: str, key: str) -> list[tuple[int, int]]:  # noqa: ARG001 (it takes no key)
        found = analyzer.analyze(text, language="en", entities=wanted, score_threshold=0.4)
        return [(one.start, one.end) for one in found]

    return find


def scrubadub() -> Find:
    """Its default detectors."""
    import scrubadub as library

    scrubber = library.Scrubber()
    return lambda text, key: [(one.beg, one.end) for one in scrubber.iter_filth(text)]  # noqa: ARG005


def logfire() -> Find:
    """Its default scrubber: a key or a text with one of its words is replaced as a whole."""
    from logfire._internal.scrubbing import Scrubber

    scrubber = Scrubber(None)

    def find(text: str, key: str) -> list[tuple[int, int]]:
        if key:
            _, notes = scrubber.scrub_value(("attributes",), {key: text})
        else:
            _, notes = scrubber.scrub_value(("message",), text)
        return [(0, len(text))] if notes else []

    return find


def datafog_core() -> Find:
    """Its `scan`."""
    import datafog_core as library

    def find(text: str, key: str) -> list[tuple[int, int]]:  # noqa: ARG001 (it takes no key)
        ranges = (one.codepoint_range for one in library.scan(text))
        return [(one.start, one.end) for one in ranges]

    return find


PEERS: dict[str, Callable[[], Find]] = {
    "presidio-analyzer": presidio,
    "scrubadub": scrubadub,
    "logfire": logfire,
    "datafog-core": datafog_core,
}
OURS = "fapilog"


def texts(record: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Path, text and key of everything in a record."""
    pairs = [(f"attributes.{key}", str(value), key) for key, value in record["attributes"].items()]
    return [("text", record["text"], ""), *pairs]


def fapilog_all(records: list[dict[str, Any]]) -> Callable[[], list[Any]]:
    """`fapilog.redaction.scan`, one call for a record."""
    from fapilog.redaction import scan

    return lambda: [[list(one) for one in scan(record["text"], record["attributes"])] for record in records]


def peer_all(find: Find, records: list[dict[str, Any]]) -> Callable[[], list[Any]]:
    """A peer, one call for a text."""
    prepared = [texts(record) for record in records]

    def work() -> list[Any]:
        return [
            [[path, start, end, "", ""] for path, text, key in record for start, end in find(text, key)]
            for record in prepared
        ]

    return work


def main(name: str, limit: int, rounds: int) -> None:
    """Answer on standard output; what a library prints goes to standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from tools import redaction_corpus

    records = redaction_corpus.read()[:limit]
    try:
        work = fapilog_all(records) if name == OURS else peer_all(PEERS[name](), records)
    except ImportError as error:
        replies.write(json.dumps({"missing": f"not installed: {error}"}))
        return
    best, findings = float("inf"), []
    for _ in range(rounds):
        start = time.perf_counter()
        findings = work()
        best = min(best, time.perf_counter() - start)
    replies.write(json.dumps({"findings": findings, "seconds": best}))


def ask(name: str, limit: int, rounds: int) -> dict[str, Any]:
    """Run one in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.redaction_peers", name, str(limit), str(rounds)]
    environment = {**clean_environment(), "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    reply: dict[str, Any] = json.loads(done.stdout)
    return reply


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
