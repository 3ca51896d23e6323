"""Whatever is logged: no exception, the neighbours intact, the ledger balanced, no record above its cap."""

import gc
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fapilog
from fapilog import _native
from fapilog.testing.decoding import decode_log_record
from tests.property import hostile
from tests.property.conftest import Bench
from tests.property.neighbours import between_neighbours
from tests.property.values import values

INTERRUPTS = [KeyboardInterrupt("stop"), SystemExit(3)]


@pytest.mark.parametrize("name", hostile.VALUES)
def test_a_hostile_attribute_becomes_what_can_be_said_about_it(bench: Bench, name: str):
    make, expected = hostile.VALUES[name]
    with between_neighbours(bench) as between:
        bench.log.info("x", first=1, hostile=make(), last=2)
    [record] = between
    assert (record.body, list(record.attributes)) == ("x", ["first", "hostile", "last"])
    if expected is not None:
        assert record.attributes["hostile"] == expected


@pytest.mark.parametrize("name", hostile.VALUES | hostile.OTHERS)
def test_a_hostile_value_is_kept_wherever_it_stands(bench: Bench, name: str):
    make = hostile.OTHERS[name] if name in hostile.OTHERS else hostile.VALUES[name][0]
    value = make()
    with between_neighbours(bench) as between:
        bench.log.info(value)
        bench.log.info("%s", value)
        bench.log.info(value, value, value)
        bench.log.info("x", nested=[{"key": (value,)}])
        bench.log.bind(bound=value).info("x")
        with fapilog.bind_context(bound=value):
            bench.log.info("x")
        bench.log.emit_record(body=value, attributes={"a": value})
        bench.log.log(value, "x")
    assert len(between) == 8


# `event_name` and a dict of `tags` that changes have tests of their own below.
TAGS_OF_THEIR_OWN = [("dict changes while it is read", "tags"), ("keys raise", "tags")]
RESERVED = [
    (name, keyword)
    for name in hostile.VALUES | hostile.OTHERS
    for keyword in ("exc_info", "category", "severity", "tags", "timestamp")
    if (name, keyword) not in TAGS_OF_THEIR_OWN
]


@pytest.mark.parametrize(("name", "keyword"), RESERVED)
def test_a_hostile_value_of_a_reserved_keyword_does_no_harm(bench: Bench, name: str, keyword: str):
    make = hostile.OTHERS[name] if name in hostile.OTHERS else hostile.VALUES[name][0]
    with between_neighbours(bench) as between:
        bench.log.info("x", **{keyword: make()}, last=2)
    [record] = between
    assert (record.body, record.attributes.get("last", 2)) == ("x", 2)


def test_a_hostile_event_name_does_no_harm(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with between_neighbours(bench) as between:
        bench.log.info("x", event_name=hostile.StrIsNoText(), last=2)
    assert (between[0].body, between[0].attributes, unraisable) == ("x", {"last": 2}, [])


def test_tags_whose_iterator_fails_are_given_up(bench: Bench):
    asked = 0

    class Tags:
        def items(self) -> Any:
            return self

        def __iter__(self) -> Any:
            return self

        def __next__(self) -> Any:
            nonlocal asked
            asked += 1
            if asked > 1_000:
                raise StopIteration
            # What a dict's iterator does, for ever, once another thread has changed the dict's size.
            raise RuntimeError("dictionary changed size during iteration")

    with between_neighbours(bench) as between:
        bench.log.info("x", tags=Tags())
    assert ([record.body for record in between], asked) == (["x"], 1)


@pytest.mark.parametrize(
    "moment", [float("nan"), float("inf"), -1, -1.0, 2**64, 10**400, 1e300, True, "now"], ids=repr
)
def test_a_timestamp_that_is_none_becomes_an_attribute(bench: Bench, moment: Any):
    with between_neighbours(bench) as between:
        bench.log.info("x", timestamp=moment)
    [record] = between
    assert (record.time_unix_nano > 0, "timestamp" in record.attributes) == (True, True)


@pytest.mark.parametrize(
    "name", ["", "\ud800", "self", "message", "args", "name", "a" * 1_000_000, "\x00", "1"]
)
def test_any_keyword_name_is_taken(bench: Bench, name: str):
    with between_neighbours(bench) as between:
        bench.log.info("x", **{name: 1}, after=2)
        bench.log.bind(**{name: 1}).info("x")
        bench.log.emit_record(body="x", attributes={name: 1})
    assert [record.body for record in between] == ["x"] * 3


def test_a_name_that_is_a_hostile_text_is_taken(bench: Bench):
    class Name(str):
        __str__ = __repr__ = hostile.refuse

    with between_neighbours(bench) as between:
        bench.log.info("x", **{Name("odd"): 1})
    assert between[0].attributes == {"odd": 1}


@pytest.mark.parametrize(
    ("message", "arguments", "body"),
    [
        ("%s and %s", (1,), "%s and %s"),
        ("%d", ("one",), "%d"),
        ("no place", (1, 2), "no place"),
        ("%(name)s", ({"other": 1},), "%(name)s"),
        ("%(name)s", ({"name": 1},), "1"),
        ("100%", (1,), "100%"),
        (5, (3,), 5),
        (None, (3,), None),
        ("%s", (hostile.RaisesEverywhere(),), "%s"),
    ],
)
def test_a_format_that_fails_keeps_template_and_arguments(
    bench: Bench, message: Any, arguments: tuple[Any, ...], body: Any
):
    with between_neighbours(bench) as between:
        bench.log.info(message, *arguments)
    [record] = between
    assert record.body == body
    if body != "1":
        assert len(record.attributes["fapilog.format_arguments"]) == len(arguments)


@pytest.mark.parametrize("error", INTERRUPTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    "log",
    [
        pytest.param(lambda log, error: log.info("x", a=hostile.Says(error), b=2), id="str"),
        pytest.param(lambda log, error: log.info("x", a=[hostile.Says(error)], b=2), id="nested str"),
        pytest.param(lambda log, error: log.info("x", a={hostile.Says(error): 1}, b=2), id="key"),
        pytest.param(lambda log, error: log.info("x", a=hostile.SaysInItems(error), b=2), id="items"),
        pytest.param(lambda log, error: log.info("x", a=hostile.says_in_iter(error), b=2), id="iter"),
        pytest.param(lambda log, error: log.info("x", a=hostile.says_in_iso(error), b=2), id="isoformat"),
        pytest.param(lambda log, error: log.info("x", b=2, exc_info=raising_error(error)), id="exception"),
        pytest.param(
            lambda log, error: log.bind(a=hostile.Says(error), b=2).info("x"),
            id="bound",
        ),
        pytest.param(
            lambda log, error: log.info("x", b=2, event_name=hostile.Says(error)),
            id="event name",
        ),
        pytest.param(
            lambda log, error: log.info("x", b=2, tags={hostile.Says(error): 1}),
            id="tag name",
        ),
        pytest.param(lambda log, error: log.info("x", b=2, tags=hostile.SaysInItems(error)), id="tags"),
        pytest.param(
            lambda log, error: log.emit_record(body="x", attributes={hostile.Says(error): 1, "b": 2}),
            id="name",
        ),
    ],
)
def test_an_interrupt_reaches_the_application_and_the_record_is_kept(
    bench: Bench, log: Callable[[Any, BaseException], Any], error: BaseException
):
    with between_neighbours(bench) as between, pytest.raises(type(error)) as caught:
        log(bench.log, error)
    assert caught.value is error
    [record] = between
    assert (record.body, record.attributes["b"]) == ("x", 2)


def raising_error(error: BaseException) -> Exception:
    class UnhappyError(Exception):
        def __str__(self) -> str:
            raise error

    return UnhappyError()


def test_a_generator_is_not_touched(bench: Bench):
    numbers = iter([1, 2])
    made = (number for number in numbers)
    with between_neighbours(bench) as between:
        bench.log.info("x", numbers=numbers, made=made, file=sys.stdout, many=map(str, numbers))
    assert len(between) == 1
    assert list(made) == [1, 2]


def test_a_value_that_logs_while_it_is_read_adds_its_own_record(bench: Bench):
    class Logs:
        def __str__(self) -> str:
            bench.log.bind(inner=True).warning("inside", b=[1])
            return "logged"

    with between_neighbours(bench) as between:
        bench.log.info(Logs(), a=1, b=Logs(), c={"d": Logs()})
    assert [(record.body, record.attributes) for record in between] == [
        *[("inside", {"b": [1], "inner": True})] * 3,
        ("logged", {"a": 1, "b": "logged", "c": {"d": "logged"}}),
    ]


def test_a_value_that_logs_itself_ends(bench: Bench):
    class Again:
        def __str__(self) -> str:
            bench.log.info("again", me=self)
            return "done"

    bench.encoded.clear()
    bench.log.info("start", me=Again())
    bench.log.info("after")
    bodies = [decode_log_record(record).body for record in bench.encoded]
    # How deep it goes is the interpreter's affair; there the tap of this test cannot be called either.
    assert (set(bodies), bodies[-2:]) == ({"again", "start", "after"}, ["start", "after"])
    assert bench.provider.ledger().balanced


def test_a_finaliser_that_logs_while_a_record_is_captured_adds_its_own(bench: Bench):
    class Logs:
        def __del__(self) -> None:
            bench.log.info("finalised")

    class Collects:
        def __str__(self) -> str:
            gc.collect()
            return "collected"

    gc.collect()  # what earlier tests left behind may log as well
    with between_neighbours(bench) as between:
        cycle: list[Any] = [Logs()]
        cycle.append(cycle)
        del cycle
        bench.log.info("x", a=Collects())
    assert [record.body for record in between] == ["finalised", "x"]


def test_containers_that_other_threads_change_are_read_safely(bench: Bench):
    shared: dict[Any, Any] = {"list": [], "dict": {}}
    stop = threading.Event()

    def change() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            shared["list"].append(count)
            shared["dict"][count] = count
            if count % 50 == 0:
                shared["list"].clear()
                shared["dict"].clear()

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with between_neighbours(bench) as between:
            for _ in range(500):
                bench.log.info("x", shared=shared)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
    assert len(between) == 500


@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["info", "error", "audit"]),
            values,
            st.dictionaries(st.text(), values, max_size=3),
        ),
        max_size=4,
    )
)
@settings(deadline=None)
def test_no_sequence_of_calls_harms_its_neighbours(
    bench: Bench, calls: list[tuple[str, Any, dict[str, Any]]]
):
    with between_neighbours(bench) as between:
        for method, message, attributes in calls:
            getattr(bench.log, method)(message, **attributes)
    assert len(between) == len(calls)


def test_an_awaited_call_of_a_hostile_value_completes(bench: Bench):
    async def main() -> None:
        await bench.log.info("x", a=hostile.RaisesEverywhere())

    import asyncio

    with between_neighbours(bench) as between:
        asyncio.run(main())
    assert len(between) == 1
    assert isinstance(bench.log, _native.Logger)


def test_a_value_that_logs_itself_ends_before_the_stack_does_and_later_values_are_read(bench: Bench):
    class LogsItself:
        def __str__(self) -> str:
            bench.log.info("inner", me=self)
            return "me"

    with between_neighbours(bench) as between:
        bench.log.info("outer", me=LogsItself())
        bench.log.info("later", text=Collected())
    assert [record.body for record in between] == [*["inner"] * 8, "outer", "later"]
    assert [record.attributes for record in between[-2:]] == [{"me": "me"}, {"text": "collected"}]
    assert between[0].dropped_attributes_count == 1


class Collected:
    def __str__(self) -> str:
        return "collected"
