"""Parsers of the environment variables: tables, round trips, and no value that slips through."""

import math
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.util.re import parse_env_headers

from fapilog.settings import parse
from fapilog.settings.parse import Noted

TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~", min_size=1)
HEADER_VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)).map(str.strip)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"])).map(str.strip)


@given(st.dictionaries(TOKEN, HEADER_VALUE))
def test_headers_survive_percent_encoding(headers):
    raw = ",".join(f"{quote(name)}={quote(value, safe='')}" for name, value in headers.items())
    assert parse.headers(raw) == headers


@given(st.dictionaries(TOKEN.filter(lambda name: "%" not in name), HEADER_VALUE))
def test_headers_are_read_as_opentelemetry_for_python_reads_them(headers):
    raw = " , ".join(f"{name} = {quote(value, safe='')}" for name, value in headers.items())
    assert parse.headers(raw) == parse_env_headers(raw, liberal=True)


@given(st.dictionaries(ANY_TEXT.filter(bool), ANY_TEXT))
def test_baggage_survives_percent_encoding_in_any_language(attributes):
    raw = ",".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in attributes.items())
    assert parse.baggage(raw) == attributes


@given(st.text())
def test_parsers_answer_or_raise_value_error_with_a_clause(raw):
    for parser in (parse.headers, parse.baggage, parse.pairs, parse.otlp_timeout, parse.whole_number):
        clause = ""
        answer = None
        try:
            answer = parser(raw)
        except ValueError as error:
            clause = str(error)
        assert isinstance(answer, (dict, int, Noted)) or clause.startswith(("is ", "holds "))


@given(st.text())
def test_no_header_value_can_end_its_line(raw):
    try:
        headers = parse.headers(raw)
    except ValueError:
        return
    assert all(value.isprintable() and name.strip() for name, value in headers.items())


@pytest.mark.parametrize(
    ("raw", "clause"),
    [
        ("authorization", "is not a list of key=value pairs"),
        ("=value", "is not a list of key=value pairs"),
        ("a b=c", "holds a header name with characters that HTTP does not allow"),
        ("a=b%0d%0aevil: 1", "holds a header value with control or non-ASCII characters"),
        ("a=%C3%A9", "holds a header value with control or non-ASCII characters"),
        ("a=%ff", "holds percent-encoded bytes that are not UTF-8"),
        ("a=b;c=d", "holds a semicolon, which has to be written as %3B"),
    ],
)
def test_headers_that_cannot_be_sent_as_meant_are_refused(raw, clause):
    with pytest.raises(ValueError, match="^" + clause.replace("%", "[%]") + "$"):
        parse.headers(raw)


def test_header_details_follow_the_baggage_format():
    raw = " Authorization = Basic%20a%2Cb== ,, empty= ,X-Raw=with space, x-raw=last wins,"
    assert parse.headers(raw) == {"authorization": "Basic a,b==", "empty": "", "x-raw": "last wins"}


@pytest.mark.parametrize(
    ("raw", "millis"),
    [
        ("10", 10_000),
        ("0", 0),
        ("0.5", 500),
        (" 2.25 ", 2_250),
        ("0.0001", 1),
        (".5", 500),
        ("999", 999_000),
        ("5.", 5_000),
    ],
)
def test_the_otel_timeout_is_read_as_seconds(raw, millis):
    assert parse.otlp_timeout(raw) == millis


@pytest.mark.parametrize(("raw", "millis"), [("1000", 1_000), ("10000", 10_000), ("1500.5", 1_501)])
def test_a_timeout_of_1000_or_more_is_taken_as_milliseconds_and_noted(raw, millis):
    noted = parse.otlp_timeout(raw)
    assert (noted.value, noted.code) == (millis, "timeout-unit")
    assert f"is {raw}: taken as milliseconds" in noted.message
    assert "FAPILOG_OTLP_TIMEOUT_MILLIS" in noted.message


@given(st.decimals(min_value="0.001", max_value="999.999", places=3))
def test_seconds_become_the_milliseconds_they_name(seconds):
    millis = parse.otlp_timeout(str(seconds))
    assert millis == pytest.approx(float(seconds) * 1_000, abs=1)
    assert millis >= float(seconds) * 1_000
    assert millis == math.ceil(float(seconds) * 1_000)


@pytest.mark.parametrize("raw", ["ten", "", "1e3", "nan", "inf", "-inf", "10s", "1,5", "\u0661", "9" * 400])
def test_a_timeout_that_is_no_plain_number_is_refused(raw):
    with pytest.raises(ValueError, match="is not a number of seconds"):
        parse.otlp_timeout(raw)


@given(st.integers(min_value=-(10**17) + 1, max_value=10**18 - 1))
def test_whole_numbers_are_read_as_written(number):
    assert parse.whole_number(f" {number} ") == number


@pytest.mark.parametrize("raw", ["", "1.0", "1_000", "0x10", "1e3", "\u0661", "1 000", "64MiB", "9" * 5_000])
def test_what_is_no_whole_number_is_refused(raw):
    with pytest.raises(ValueError, match="is not a whole number"):
        parse.whole_number(raw)


@pytest.mark.parametrize(("raw", "value"), [("true", True), (" TRUE ", True), ("False", False)])
def test_booleans_are_true_and_false_in_any_case(raw, value):
    assert parse.flag(raw) is value


@pytest.mark.parametrize("raw", ["1", "yes", "on", "0", "t"])
def test_other_words_are_no_booleans(raw):
    with pytest.raises(ValueError, match="is neither true nor false"):
        parse.flag(raw)


ENDPOINTS = [
    # as written, the general variable, the variable for logs, an argument
    ("http://h:4318", "http://h:4318/v1/logs", "http://h:4318/", "http://h:4318/v1/logs"),
    ("http://h:4318/", "http://h:4318/v1/logs", "http://h:4318/", "http://h:4318/"),
    ("https://h/otlp", "https://h/otlp/v1/logs", "https://h/otlp", "https://h/otlp"),
    ("https://h/otlp/", "https://h/otlp/v1/logs", "https://h/otlp/", "https://h/otlp/"),
    (
        " http://[::1]:1/x?a=b ",
        "http://[::1]:1/x/v1/logs?a=b",
        "http://[::1]:1/x?a=b",
        "http://[::1]:1/x?a=b",
    ),
]


@pytest.mark.parametrize(("raw", "base", "signal", "full"), ENDPOINTS)
def test_the_path_of_an_endpoint_depends_on_where_it_was_given(raw, base, signal, full):
    assert (parse.base_endpoint(raw), parse.signal_endpoint(raw), parse.full_endpoint(raw)) == (
        base,
        signal,
        full,
    )


@pytest.mark.parametrize(
    "raw",
    [
        *("localhost:4318", "h", "grpc://h:1", "http://", "http://:4318", "http://h:port", "http://h:99999"),
        *("http://[::1", "http://h/a b", "http://h/\x1b", "http://h/\nx", "http://h/#f", ""),
    ],
)
def test_what_is_no_http_url_is_refused(raw):
    for parser in (parse.base_endpoint, parse.signal_endpoint, parse.full_endpoint):
        with pytest.raises(ValueError, match=r"^(is not a URL|holds )"):
            parser(raw)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("http://h:1/p", "http://h:1/p"),
        ("http://user:pa@ss/w@h:1/p?key=k", "http://***@h:1/p?***"),
        ("user:pass@h", "***@h"),
        ("https://token@h", "https://***@h"),
    ],
)
def test_a_url_is_shown_without_credentials_and_query(raw, shown):
    assert parse.mask_url(raw) == shown


@given(st.text(min_size=8, alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_password_never_shows_whatever_it_holds(password):
    assert parse.mask_url(f"https://user:{password}@h") == "https://***@h"


def test_lists_skip_what_is_empty():
    assert parse.names(" otlp, ,console,") == ("otlp", "console")
