"""Attributes bound to a context, and the span that a record belongs to."""

import asyncio
import contextvars
import threading

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from fapilog import _native, bind_context, context, otel_private
from fapilog.context import current_context
from tests.unit.recording import Recorder

SPAN = trace.SpanContext(0xA, 0xB, is_remote=True, trace_flags=trace.TraceFlags(1))


def test_bound_attributes_end_with_the_block_and_inner_ones_win():
    seen = [current_context()]
    with bind_context(a=1, b=1):
        with bind_context(b=2):
            seen.append(current_context())
        seen.append(current_context())
    seen.append(current_context())
    assert seen == [{}, {"a": 1, "b": 2}, {"a": 1, "b": 1}, {}]


def test_an_attribute_may_have_any_name():
    with bind_context(self=1, attributes=2, variable=3):
        assert current_context() == {"self": 1, "attributes": 2, "variable": 3}


def test_the_block_can_be_entered_again_even_while_it_is_entered():
    bound = bind_context(a=1)
    with bound:
        with bound:
            inside = current_context()
        after = current_context()
    with bound:
        again = current_context()
    assert (inside, after, again, current_context()) == ({"a": 1}, {"a": 1}, {"a": 1}, {})


def test_an_exception_inside_the_block_ends_the_binding_and_is_not_swallowed():
    with pytest.raises(ValueError, match="inside"), bind_context(a=1):
        raise ValueError("inside")
    assert current_context() == {}


async def test_tasks_inherit_the_binding_and_do_not_disturb_each_other():
    async def task(name: str) -> dict[str, object]:
        async with bind_context(task=name):
            await asyncio.sleep(0)
            return current_context()

    async with bind_context(request="r"):
        found = await asyncio.gather(task("a"), task("b"))
    assert found == [{"request": "r", "task": "a"}, {"request": "r", "task": "b"}]
    assert current_context() == {}


def test_a_thread_starts_without_the_binding():
    found: list[dict[str, object]] = []
    with bind_context(a=1):
        thread = threading.Thread(target=lambda: found.append(current_context()))
        thread.start()
        thread.join(5)
    assert found == [{}]


def test_leaving_in_another_context_than_entered_does_nothing():
    bound = bind_context(a=1)
    contextvars.copy_context().run(bound.__enter__)
    bound.__exit__(None, None, None)
    assert current_context() == {}


def test_what_is_changed_in_the_result_does_not_change_the_binding():
    with bind_context(a=1):
        current_context()["a"] = 2
        assert current_context() == {"a": 1}


def test_bound_attributes_outlive_a_fresh_otel_context():
    with Recorder() as recorder, bind_context(a=1):
        token = otel_context.attach(otel_context.Context())
        recorder.logger().info("x")
        otel_context.detach(token)
        assert recorder.only.attributes == {"a": 1}


def test_a_record_carries_the_span_that_is_current_or_given():
    tracer = TracerProvider().get_tracer("t")
    with Recorder() as recorder:
        log = recorder.logger()
        log.info("outside")
        with tracer.start_as_current_span("s") as span:
            ids = span.get_span_context()
            log.info("inside")
            log.emit_record(body="other", context=trace.set_span_in_context(trace.NonRecordingSpan(SPAN)))
            log.emit_record(body="none", context=otel_context.Context())
        log.info("after")
        found = [(record.body, record.trace_id, record.span_id, record.flags) for record in recorder.records]
    own = (f"{ids.trace_id:032x}", f"{ids.span_id:016x}", ids.trace_flags)
    assert found == [
        ("outside", "", "", 0),
        ("inside", *own),
        ("other", f"{0xA:032x}", f"{0xB:016x}", 1),
        ("none", "", "", 0),
        ("after", "", "", 0),
    ]


@pytest.fixture
def public_api_only(monkeypatch):
    """Capture connected as if no private name of OpenTelemetry were where we know it."""
    monkeypatch.setattr(otel_private, "current_context_getter", lambda: None)
    context.connect()
    yield
    monkeypatch.undo()
    context.connect()


def test_without_the_private_names_the_public_api_gives_the_same_span(public_api_only):
    with Recorder() as recorder:
        with trace.use_span(trace.NonRecordingSpan(SPAN)):
            recorder.logger().info("inside")
        recorder.logger().info("outside")
        found = [(record.trace_id, record.span_id, record.flags) for record in recorder.records]
    assert found == [(f"{0xA:032x}", f"{0xB:016x}", 1), ("", "", 0)]


def test_contexts_can_be_forgotten_at_any_time():
    with Recorder() as recorder, trace.use_span(trace.NonRecordingSpan(SPAN)):
        recorder.logger().info("a")
        _native.forget_contexts()
        recorder.logger().info("b")
        assert {record.span_id for record in recorder.records} == {f"{0xB:016x}"}


def test_one_binding_may_be_shared_by_tasks_that_leave_it_in_any_order():
    binding, seen = bind_context(tenant="acme"), []

    async def request(before: asyncio.Event, after: asyncio.Event) -> None:
        async with binding:
            after.set()
            await before.wait()
        seen.append(current_context())

    async def main() -> None:
        first_in, second_in, second_out = asyncio.Event(), asyncio.Event(), asyncio.Event()
        first = asyncio.create_task(request(second_in, first_in))
        await first_in.wait()
        second = asyncio.create_task(request(second_out, second_in))
        await first
        second_out.set()
        await second

    asyncio.run(main())
    assert seen == [{}, {}]


def test_what_is_attached_is_bound_until_it_is_detached():
    with bind_context(a=1, b=1):
        token = context.attach({"b": 2})
        assert current_context() == {"a": 1, "b": 2}
        context.detach(token)
        assert current_context() == {"a": 1, "b": 1}


def test_a_token_of_another_task_is_no_error():
    token = contextvars.copy_context().run(context.attach, {"a": 1})
    context.detach(token)
    assert current_context() == {}


def test_what_a_copy_of_the_context_extends_everybody_has_who_shares_the_binding():
    with Recorder() as recorder, bind_context(request="r", user="nobody"):
        log = recorder.logger()
        log.info("before")
        contextvars.copy_context().run(context.extend, {"user": "u-7", "password": "hunter2"})
        log.info("after")
        with bind_context(order=1):
            context.extend({"item": "tea"})
            log.info("inside")
        log.info("outside")
        assert [record.attributes for record in recorder.records] == [
            {"request": "r", "user": "nobody"},
            {"request": "r", "user": "u-7", "password": "[REDACTED:secret]"},
            {"request": "r", "user": "u-7", "password": "[REDACTED:secret]", "order": 1, "item": "tea"},
            {"request": "r", "user": "u-7", "password": "[REDACTED:secret]"},
        ]
    assert current_context() == {}


def test_extending_where_nothing_is_bound_binds_for_the_rest_of_the_context():
    def seen() -> dict[str, object]:
        context.extend({"a": 1})
        context.extend({"b": 2})
        return current_context()

    assert contextvars.copy_context().run(seen) == {"a": 1, "b": 2}
    assert current_context() == {}


def test_a_binding_that_is_extended_while_it_is_encoded_is_whole_on_the_next_record():
    class Extends:
        def __str__(self) -> str:
            context.extend({"late": True})
            return "value"

    with Recorder() as recorder, bind_context(first=Extends()):
        log = recorder.logger()
        log.info("one")
        log.info("two")
        found = [record.attributes for record in recorder.records]
    assert [each["first"] for each in found] == ["value", "value"]
    assert found[1]["late"] is True


def test_threads_that_extend_one_binding_lose_nothing_of_each_other():
    with Recorder() as recorder, bind_context(request="r"):
        shared = contextvars.copy_context()

        def extend(start: int) -> None:
            for number in range(start, start + 40):
                shared.copy().run(context.extend, {f"key_{number}": number})
                shared.copy().run(recorder.logger().info, "x")

        threads = [threading.Thread(target=extend, args=(40 * n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        recorder.logger().info("last")
        last = recorder.records[-1].attributes
    assert last == {"request": "r", **{f"key_{number}": number for number in range(120)}}


def test_names_of_every_kind_are_bound_as_a_record_has_them():
    bound = _native.BoundAttributes(
        {"event_name": 1, "category": "c", "k" * 300: 2, "api_key": "x", "fapilog.redacted": "forged", 7: 8}
    )
    token = context.BOUND.set(bound)
    try:
        with Recorder() as recorder:
            recorder.logger().info("x")
            found = recorder.only.attributes
    finally:
        context.BOUND.reset(token)
    assert found == {
        "event_name": 1,
        "category": "c",
        "k" * 300: 2,
        "api_key": "[REDACTED:secret]",
        "7": 8,
    }
