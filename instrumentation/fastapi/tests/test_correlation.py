"""The id of a request is checked before anything sees it, and made where there is none."""

import os
import random
import string
import subprocess
import sys

import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

import fapilog
from fapilog.asgi import new_correlation_id
from fapilog.exporters import memory
from fapilog.redaction import Redactor
from fapilog_instrumentation_fastapi import instrument_fastapi
from fapilog_instrumentation_fastapi.correlation import Correlator, trace_id_of, valid
from fapilog_instrumentation_fastapi.exchange import CORRELATION_ATTRIBUTE
from fapilog_instrumentation_fastapi.policy import Policy
from instrumentation.fastapi.tests.calling import client

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01".encode()
CARD = "4111" + "111111111111"
SCANNER = Redactor("scan")
HIDDEN = ("redis://shop:hunter2@cache", CARD, f"order-{CARD}", "ann@example.com", "4111-1111-1111-1111")
SHOWN = ("4111111111111112", "1234567890", "550e8400-e29b-41d4-a716-446655440000", "order-7", TRACE)
HARMLESS = set(string.ascii_letters + string.digits + "!#$&'*+-./:@^_`|~?(){}[]")


@given(st.binary(max_size=200))
def test_what_is_accepted_is_short_visible_ascii_without_separators(value: bytes):
    found = valid(value)
    if found is not None:
        assert 1 <= len(found) <= 128
        assert set(found) <= HARMLESS
        assert found == value.strip(b" \t").decode("ascii")


@given(st.text(alphabet=sorted(HARMLESS), min_size=1, max_size=128))
def test_every_harmless_id_is_accepted_as_it_is(text: str):
    assert valid(text.encode()) == text


@given(st.binary(max_size=80))
def test_a_trace_id_is_32_hex_digits_or_nothing(value: bytes):
    found = trace_id_of(value)
    assert found is None or (len(found) == 32 and set(found) <= set("0123456789abcdef"))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"ff-" + TRACEPARENT[3:],
        TRACEPARENT + b"-more",
        b"00-" + b"0" * 32 + TRACEPARENT[35:],
        TRACEPARENT[:36] + b"0" * 16 + b"-01",
        TRACEPARENT.upper(),
        TRACEPARENT + b"\n",
    ],
)
def test_a_traceparent_that_the_standard_forbids_has_no_id(value: bytes):
    assert trace_id_of(value) is None


def test_a_later_version_of_traceparent_may_have_more_fields():
    assert trace_id_of(b"01" + TRACEPARENT[2:] + b"-more") == TRACE


def test_headers_are_asked_in_order_and_traceparent_last():
    correlator = Correlator(["X-Correlation-ID", "X-Request-ID"], True, True)
    assert correlator.wanted == (b"x-correlation-id", b"x-request-id", b"traceparent")
    assert correlator.choose([b"first", b"second", TRACEPARENT]) == "first"
    assert correlator.choose([b"not valid", b"second", TRACEPARENT]) == "second"
    assert correlator.choose([None, b"", TRACEPARENT]) == TRACE


def test_an_id_is_made_where_none_is_valid_or_none_is_wanted():
    for correlator in (Correlator(["X-Request-ID"], False, True), Correlator([], True, False)):
        assert correlator.wanted == ()
        assert len(correlator.choose([b"r-1"])) == 32


def test_new_ids_differ_sort_by_time_and_say_version_7():
    ids = [new_correlation_id() for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert [each[:12] for each in ids] == sorted(each[:12] for each in ids)
    assert {each[12] for each in ids} == {"7"}
    assert {each[16] for each in ids} <= set("89ab")


def test_ids_neither_follow_nor_disturb_the_random_numbers_of_the_application():
    state = random.getstate()
    try:
        random.seed(7)
        expected = random.random()
        random.seed(7)
        first = new_correlation_id()
        assert random.random() == expected
        random.seed(7)
        assert new_correlation_id()[12:] != first[12:]
    finally:
        random.setstate(state)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_makes_other_ids():
    code = (
        "import os\n"
        "from fapilog.asgi import new_correlation_id\n"
        "from fapilog_instrumentation_fastapi import chance\n"
        "def drawn(): return f'{chance.numbers.getrandbits(64)} {new_correlation_id()[16:]}'\n"
        "drawn()\n"
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.write(w, drawn().encode()); os._exit(0)\n"
        "child = set(os.read(r, 100).decode().split()); os.wait()\n"
        "assert len(child) == 2 and not child & set(drawn().split())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("mode", ["keys", "scan"])
async def test_an_id_that_records_would_hide_is_none_and_one_that_is_accepted_is_shown(
    mode: str,
):
    given_settings = fapilog.Settings.load(environ={}, redaction=mode)
    with fapilog.LoggerProvider(settings=given_settings, exporters=["memory"]) as provider:
        app = FastAPI()
        log = provider.logger("shop")

        @app.get("/")
        async def read() -> None:
            log.info("read")

        instrument_fastapi(app, spans="none", logger_provider=provider)
        answers = {}
        async with client(app) as http:
            for sent in (*HIDDEN, *SHOWN):
                answer = await http.get("/", headers={"X-Correlation-ID": sent, "X-Request-ID": "second"})
                answers[sent] = answer.headers["X-Correlation-ID"]
        assert provider.force_flush()
        records = [each.log_record for each in memory.newest().get_finished_logs()]
    hidden = HIDDEN if mode == "scan" else HIDDEN[:1]
    assert answers == {sent: "second" if sent in hidden else sent for sent in (*HIDDEN, *SHOWN)}
    for written in ("read", "GET / 200"):
        ids = [each.attributes["fapilog.correlation_id"] for each in records if each.body == written]
        assert ids == [*answers.values()]


@settings(max_examples=200)
@given(st.from_regex(rb"[0-9]{1,25}|[0-9a-zA-Z@.:/+-]{1,40}", fullmatch=True))
def test_under_scan_every_accepted_id_stands_in_records_as_it_is(value: bytes):
    found = Correlator(["X-Request-ID"], True, False, lambda text: SCANNER.text(text) == text).choose([value])
    assert SCANNER.attributes({CORRELATION_ATTRIBUTE: found}) == {CORRELATION_ATTRIBUTE: found}


def test_the_policy_of_the_process_counts_as_it_is_at_the_time_of_the_request():
    policy = Policy()
    assert policy.shows(CARD)
    with fapilog.configure_otel(exporters=["none"], redaction="scan"):
        assert not policy.shows(CARD)
    with fapilog.configure_otel(exporters=["none"], redaction="keys"):
        assert policy.shows(CARD)
