"""Which attributes a record of the native `Logger` carries: precedence, limits, the caller's location."""

import sys

import pytest

from fapilog import bind_context
from tests.unit.recording import Recorder, expected


def attributes_of(recorder: Recorder) -> dict[str, object]:
    """Answer the attributes of the one record, in which no key may stand twice."""
    assert recorder.only.repeated_keys == ()
    return recorder.only.attributes


def test_the_call_wins_over_bind_over_bound_context_and_no_key_stands_twice():
    with Recorder() as recorder, bind_context(a="context", b="context", c="context"):
        recorder.logger().bind(a="bind", b="bind").info("x", a="call")
        assert attributes_of(recorder) == {"a": "call", "b": "bind", "c": "context"}


def test_an_inner_bind_wins_over_an_outer_one():
    with Recorder() as recorder:
        outer = recorder.logger().bind(a=1, b=1)
        inner = outer.bind(b=2, c=2)
        outer.info("outer")
        inner.info("inner")
        assert [record.attributes for record in recorder.records] == [
            {"a": 1, "b": 1},
            {"a": 1, "b": 2, "c": 2},
        ]


def test_an_exception_of_the_call_wins_over_bound_exception_attributes():
    bound = {"exception.type": "bound", "exception.message": "bound"}
    with Recorder() as recorder:
        recorder.logger(bound=bound).error("x", exc_info=ValueError("v"))
        assert attributes_of(recorder) == {
            "exception.type": "ValueError",
            "exception.message": "v",
            "exception.stacktrace": "ValueError: v\n",
        }


def test_an_attribute_of_the_call_wins_over_the_one_that_exc_info_makes():
    with Recorder() as recorder:
        recorder.logger().error("x", exc_info=ValueError("v"), **{"exception.type": "mine"})
        assert attributes_of(recorder)["exception.type"] == "mine"


def test_reserved_keywords_mean_nothing_special_to_bind():
    with Recorder() as recorder:
        recorder.logger().bind(tags=["a"], event_name="e").info("x")
        assert recorder.only == expected(9, "INFO", "x", attributes={"tags": ["a"], "event_name": "e"})


def test_secret_keys_are_hidden_wherever_they_come_from():
    hidden = "[REDACTED:secret]"
    with Recorder() as recorder, bind_context(api_key="k"):
        recorder.logger().bind(passwd="p").info({"token": "t"}, headers={"Cookie": "c"}, secret="s")
        assert recorder.only == expected(
            9,
            "INFO",
            {"token": hidden},
            attributes={"headers": {"Cookie": hidden}, "secret": hidden, "passwd": hidden, "api_key": hidden},
        )


def test_configured_secret_keys_are_hidden_too():
    with Recorder(redaction={"secret_keys": ["patient_number"]}) as recorder:
        recorder.logger().info("x", PatientNumber=7, patient=1)
        assert attributes_of(recorder) == {"PatientNumber": "[REDACTED:secret]", "patient": 1}


def test_the_attribute_being_added_over_the_limit_of_128_is_discarded_and_counted():
    with Recorder() as recorder:
        recorder.logger().info("x", **{f"k{index}": index for index in range(131)})
        kept = {f"k{index}": index for index in range(128)}
        assert recorder.only == expected(9, "INFO", "x", attributes=kept, dropped_attributes_count=3)


def test_attributes_of_the_call_take_the_room_before_bound_ones():
    with Recorder(limits={"attribute_count": 2}) as recorder, bind_context(d=4):
        recorder.logger().bind(b=2, c=3).info("x", a=1)
        record = expected(9, "INFO", "x", attributes={"a": 1, "b": 2}, dropped_attributes_count=2)
        assert recorder.only == record


def test_attributes_of_reserved_keywords_count_too():
    with Recorder(limits={"attribute_count": 1}) as recorder:
        recorder.logger().info("x", a=1, tags={"b": 2}, category="audit")
        assert recorder.only == expected(9, "INFO", "x", attributes={"a": 1}, dropped_attributes_count=2)


def test_a_secret_key_counts_against_the_limit_like_any_other():
    with Recorder(limits={"attribute_count": 1}) as recorder:
        recorder.logger().info("x", a=1, password="p")
        assert recorder.only == expected(9, "INFO", "x", attributes={"a": 1}, dropped_attributes_count=1)


def test_the_location_counts_against_the_limit_like_any_other():
    with Recorder(limits={"attribute_count": 1}, capture_location="always") as recorder:
        recorder.logger().info("x", a=1)
        assert recorder.only == expected(9, "INFO", "x", attributes={"a": 1}, dropped_attributes_count=3)


def test_bound_attributes_over_the_limit_are_counted_as_dropped():
    with Recorder(limits={"attribute_count": 1}) as recorder:
        recorder.logger().bind(a=1, b=2, c=3).info("x")
        assert recorder.only == expected(9, "INFO", "x", attributes={"a": 1}, dropped_attributes_count=2)


DUPLICATES = {
    "tags": ({"tags": {"a": 1}, "fapilog.tag.a": 2}, {"fapilog.tag.a": 2}),
    "category": ({"category": "audit", "fapilog.event.category": 2}, {"fapilog.event.category": 2}),
    "severity": ({"severity": 3, "fapilog.event.severity": 2}, {"fapilog.event.severity": 2}),
}


@pytest.mark.parametrize("name", DUPLICATES)
def test_a_key_given_by_a_reserved_keyword_and_in_full_stands_once(name):
    given, attributes = DUPLICATES[name]
    with Recorder() as recorder:
        recorder.logger().info("x", **given)
        assert attributes_of(recorder) == attributes


def test_a_location_given_in_full_stands_once():
    with Recorder(capture_location="always") as recorder:
        recorder.logger().info("x", **{"code.line.number": 2})
        assert attributes_of(recorder)["code.line.number"] == 2


def test_keys_of_a_mapping_that_read_the_same_stand_once():
    with Recorder() as recorder:
        recorder.logger().emit_record(attributes={1: "a", "1": "b"})
        assert set(attributes_of(recorder)) == {"1"}


@pytest.mark.parametrize("where", ["bind", "tags", "event_name"])
def test_lone_surrogates_are_escaped_in_every_name(where):
    with Recorder() as recorder:
        log = recorder.logger()
        log.bind(**{"\ud800": 1}).info("bind")
        log.info("tags", tags={"\ud800": 1})
        log.info("event_name", event_name="\ud800")
        bind, tags, event_name = recorder.records
        found = {"bind": bind.attributes, "tags": tags.attributes, "event_name": event_name.event_name}
        wanted = {"bind": {r"\ud800": 1}, "tags": {r"fapilog.tag.\ud800": 1}, "event_name": r"\ud800"}
        assert found[where] == wanted[where]


@pytest.mark.parametrize("keyword", ["event_name", "tags"])
def test_a_name_without_text_is_not_reported_to_the_interpreter(monkeypatch, keyword):
    class Unprintable:
        def __str__(self) -> str:
            raise ValueError("no text")

    reported = []
    monkeypatch.setattr(sys, "unraisablehook", reported.append)
    with Recorder() as recorder:
        recorder.logger().info(
            "x", **{keyword: Unprintable() if keyword == "event_name" else {Unprintable(): 1}}
        )
    assert len(recorder.records) == 1
    assert reported == []


def test_of_keys_with_one_text_the_first_counts_at_every_depth():
    repeated = {1: "number", "1": "text", "\ud800": "surrogate", "\\ud800": "escape"}
    kept = {"1": "number", "\\ud800": "surrogate"}
    with Recorder() as recorder:
        recorder.logger().info(repeated, nested=[repeated])
        recorder.logger().emit_record(body=repeated, attributes=repeated)
        for record, attributes in zip(recorder.records, ({"nested": [kept]}, kept), strict=True):
            assert (record.body, record.attributes, record.repeated_keys) == (kept, attributes, ())


def test_a_value_is_cut_at_the_length_limit_and_the_body_is_not():
    with Recorder(limits={"attribute_value_length": 4}) as recorder:
        values = {"text": "ääääää", "bytes": b"123456", "list": ["abcdef"], "map": {"key": "abcdef"}}
        recorder.logger().bind(bound="abcdef").info("abcdef", **values)
        cut = {"text": "ääää", "bytes": b"1234", "list": ["abcd"], "map": {"key": "abcd"}, "bound": "abcd"}
        assert recorder.only == expected(9, "INFO", "abcdef", attributes=cut)


@pytest.mark.parametrize(
    ("setting", "located"),
    [
        ("always", ["debug", "info", "warning", "error"]),
        ("auto", ["warning", "error"]),
        ("never", []),
    ],
)
def test_the_setting_tells_which_calls_carry_their_location(setting, located):
    with Recorder(capture_location=setting) as recorder:
        log = recorder.logger()
        for method in ("debug", "info", "warning", "error"):
            getattr(log, method)(method)
        found = [record.body for record in recorder.records if "code.line.number" in record.attributes]
        assert found == located


def test_the_location_is_that_of_the_call():
    def place_order(log):
        log.warning("x")

    with Recorder() as _, Recorder(capture_location="auto") as recorder:
        place_order(recorder.logger())
        code = place_order.__code__
        assert attributes_of(recorder) == {
            "code.file.path": code.co_filename,
            "code.function.name": f"{__name__}.{code.co_qualname}",
            "code.line.number": code.co_firstlineno + 1,
        }


def test_more_names_than_the_cache_has_slots_keep_their_meaning_and_their_text():
    names = [f"name_{number}" if number % 7 else f"key{number}_password" for number in range(3_000)]
    with Recorder() as recorder:
        log = recorder.logger()
        for _ in range(2):
            for start in range(0, len(names), 100):
                log.info("x", **{name: name for name in names[start : start + 100]})
        found = [record.attributes for record in recorder.records]
    shown = {name: "[REDACTED:secret]" if name.endswith("password") else name for name in names}
    assert {name: value for each in found for name, value in each.items()} == shown
    assert [len(each) for each in found] == [100] * 60
