"""Enrichers as records see them: where attributes come from, who wins, and what a bad enricher costs."""

import asyncio
import contextvars
import functools
import os
import threading
from collections import UserDict

import pytest
from opentelemetry.sdk.resources import Resource

from fapilog import LoggerProvider, Settings, bind_context
from fapilog._native import BoundAttributes
from fapilog.enrichers import enricher
from fapilog.enrichers.base import timing_of
from fapilog.enrichers.enrichment import Enrichment
from fapilog.enrichers.user import bind_user, current_user
from fapilog.errors import ConfigurationError
from fapilog.plugins import is_async
from fapilog.timings import Timings
from tests.unit.distributions import install
from tests.unit.recording import Recorder


@pytest.fixture
def told(monkeypatch):
    """Every line about enrichers."""
    lines = []
    monkeypatch.setattr("fapilog.otel.outlet.say", lambda code, what, about: lines.append((code, what)))
    return lines


def attributes_of(*enrichers, call=None, **settings):
    with Recorder(enrichers=enrichers, **settings) as recorder:
        recorder.logger().info("x", **(call or {}))
        return recorder.only.attributes


def problems(*enrichers, **settings):
    with pytest.raises(ConfigurationError) as caught:
        Recorder(enrichers=enrichers, **settings)
    return [(problem.code, problem.what, problem.remedy) for problem in caught.value.problems]


# Kinds and precedence


def test_without_enrichers_a_record_has_what_the_call_gave():
    assert attributes_of(call={"a": 1}) == {"a": 1}


def test_mappings_and_functions_add_attributes():
    mapping, function = UserDict({"team": "shop"}), lambda: {"tenant": "acme"}
    assert attributes_of(mapping, function, call={"a": 1}) == {"a": 1, "tenant": "acme", "team": "shop"}


def test_a_function_is_asked_for_each_record():
    numbers = iter(range(9))
    with Recorder(enrichers=[lambda: {"n": next(numbers)}]) as recorder:
        for _ in range(3):
            recorder.logger().info("x")
        assert [record.attributes for record in recorder.records] == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_call_wins_over_bind_over_context_over_enrichers():
    with Recorder(enrichers=[dict.fromkeys("abcd", "mapping"), lambda: {"d": "function"}]) as recorder:
        with bind_context(a="context", b="context", c="context"):
            recorder.logger(bound={"a": "bound", "b": "bound"}).info("x", a="call")
        assert recorder.only.attributes == {"a": "call", "b": "bound", "c": "context", "d": "function"}


def test_of_two_enrichers_of_a_kind_the_later_wins():
    assert attributes_of({"a": 1, "b": 1}, {"a": 2}) == {"a": 2, "b": 1}
    assert attributes_of(lambda: {"a": 1}, lambda: {"a": 2}, {"a": 3}) == {"a": 2}


def test_records_of_the_opentelemetry_api_are_enriched_too():
    with Recorder(enrichers=[{"team": "shop"}]) as recorder:
        recorder.provider.get_logger("api").emit(body="x", attributes={"a": 1})
        assert recorder.only.attributes == {"a": 1, "team": "shop"}


def test_secrets_and_limits_apply_to_what_enrichers_say():
    settings = {"limits": {"attribute_count": 3, "attribute_value_length": 3}}
    found = attributes_of(
        {"password": "hunter2", "url": "https://me:hunter2@host/"}, lambda: {"long": "abcdef"}, call={"a": 1}
    )
    assert found == {
        "a": 1,
        "long": "abcdef",
        "password": "[REDACTED:secret]",
        "url": "https://REDACTED:REDACTED@host/",
    }
    with Recorder(enrichers=[{"b": 1, "c": 1}, lambda: {"long": "abcdef"}], **settings) as recorder:
        recorder.logger().info("x", a=1)
        assert recorder.only.attributes == {"a": 1, "long": "abc", "b": 1}
        assert recorder.only.dropped_attributes_count == 1


def test_dedupe_compares_what_the_call_said_not_what_enrichers_add():
    numbers = iter(range(9))
    settings = {"dedupe": {"window_millis": 3_600_000}}
    with Recorder(enrichers=[lambda: {"n": next(numbers)}], **settings) as recorder:
        for _ in range(3):
            recorder.logger().info("x")
        recorder.provider.force_flush()
        found = [record.attributes for record in recorder.records]
        assert found == [{"n": 0}, {"n": 2, "fapilog.dedupe.count": 2}]


# Isolation


def test_an_enricher_that_raises_or_answers_nonsense_is_said_and_left_out(told):
    def broken():
        raise ValueError("no")

    with Recorder(enrichers=[broken, lambda: 5, lambda: None, {"team": "shop"}]) as recorder:
        recorder.logger().info("x")
        assert recorder.only.attributes == {"team": "shop"}
        spent = recorder.provider.timings.snapshot()
    assert told == [
        ("enricher-failed", "enricher broken: ValueError: no; the record goes without it"),
        ("enricher-failed", "enricher <lambda>: it returned int, not a mapping; the record goes without it"),
    ]
    assert (spent["enricher", "broken"].calls, spent["enricher", "broken"].failures) == (1, 1)


def test_an_interrupt_inside_of_an_enricher_reaches_the_application():
    def interrupted():
        raise KeyboardInterrupt

    with Recorder(enrichers=[interrupted]) as recorder:
        with pytest.raises(KeyboardInterrupt):
            recorder.logger().info("x")
        assert recorder.only.body == "x"


def test_what_an_enricher_logs_itself_is_not_enriched_by_asking_it_again():
    def talks():
        recorder.logger().info("inside")
        return {"n": 1}

    with Recorder(enrichers=[talks, {"team": "shop"}]) as recorder:
        recorder.logger().info("x")
        assert [(record.body, record.attributes) for record in recorder.records] == [
            ("inside", {"team": "shop"}),
            ("x", {"n": 1, "team": "shop"}),
        ]


def test_enrichers_of_two_providers_that_log_into_each_other_end():
    def talks(name):
        def talk():
            there.logger().info(f"{name} there")
            here.logger().info(f"{name} here")
            return {name: 1}

        return talk

    with Recorder(enrichers=[talks("a"), talks("b")]) as here, Recorder(enrichers=[talks("c")]) as there:
        here.logger().info("x")
        assert [(record.body, record.attributes) for record in here.records] == [
            ("a here", {}),
            ("b here", {}),
            ("x", {"a": 1, "b": 1}),
        ]
        assert [(record.body, record.attributes) for record in there.records] == [
            ("a there", {}),
            ("b there", {}),
        ]


def test_a_mapping_that_changes_later_changes_nothing():
    mapping = {"team": "shop"}
    with Recorder(enrichers=[mapping]) as recorder:
        mapping["team"] = "other"
        recorder.logger().info("x")
        assert recorder.only.attributes == {"team": "shop"}


# Choosing


def test_names_come_from_the_settings_and_an_argument_wins_over_them():
    settings = Settings.load(environ={"FAPILOG_ENRICHERS": "host, process"})
    with LoggerProvider(Resource({}), settings=settings, exporters=["none"]) as provider:
        assert {"host.name", "process.pid"} <= set(provider.resource.attributes)
    with LoggerProvider(Resource({}), settings=settings, exporters=["none"], enrichers=[]) as provider:
        assert dict(provider.resource.attributes) == {}


def test_all_problems_are_told_at_once():
    known = "asyncio, thread, process, host, container, kubernetes, user, system"
    assert problems("hots", 5) == [
        (
            "enricher-unknown",
            "there is no enricher hots",
            f"correct the name, or install the package that provides it; known: {known}",
        ),
        (
            "enricher-invalid",
            "this is no enricher",
            "pass a name, a mapping, or a function without arguments that returns a mapping",
        ),
    ]


def test_a_plugin_is_found_by_its_name(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    code = """
        class Tenant:
            def __call__(self):
                return {"tenant": "acme"}

        broken = 5
    """
    points = {"tenant": "team_plugin:Tenant", "broken": "team_plugin:broken"}
    install(tmp_path, "team-plugin", {"fapilog.enrichers": points}, code)
    assert attributes_of("tenant", "tenant") == {"tenant": "acme"}
    assert attributes_of("broken") == {}
    assert attributes_of("tenant", disabled_plugins=["enrichers:tenant"]) == {}
    assert [what for _, what, _ in problems("tennant")] == ["there is no enricher tennant"]


def test_a_mark_says_when_a_function_is_asked():
    @enricher(refresh_seconds=2, timeout_seconds=0.5)
    def marked():
        return {}

    assert timing_of(marked) == (2, 0.5)
    assert timing_of(dict) == (None, None)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5", True])
def test_a_mark_refuses_what_is_no_time(seconds):
    with pytest.raises(ConfigurationError) as caught:
        enricher(refresh_seconds=seconds)
    assert caught.value.what == "refresh_seconds is no time"


def test_async_callables_are_told_from_others():
    async def function(argument=None):
        return {}

    class Object:
        async def __call__(self):
            return {}

    found = [is_async(each) for each in (function, functools.partial(function, 1), Object())]
    assert found == [True] * 3
    assert [is_async(each) for each in (dict, functools.partial(dict), timing_of)] == [False] * 3


def test_only_what_is_refreshed_needs_the_delivery_loop():
    async def flags():
        return {}

    def enrichment(*enrichers):
        return Enrichment(enrichers, Settings.load(environ={}), lambda *_: None, Timings())

    assert enrichment("thread", "host", {"a": 1}, lambda: None).refreshed == {}
    (source,) = enrichment({"a": 1}, flags).refreshed.values()
    assert (source.name, source.refresh_seconds, source.timeout_seconds) == ("flags", 60.0, 5.0)


def test_answers_are_merged_in_the_order_of_the_enrichers():
    async def flags():
        return {}

    enrichment = Enrichment(
        [{"a": 1, "b": 1}, flags, {"b": 3}], Settings.load(environ={}), lambda *_: None, Timings()
    )
    bound = enrichment.answered(1, {"a": 2, "b": 2, "c": 2})
    assert isinstance(bound, BoundAttributes)
    assert bound.attributes == {"a": 2, "b": 3, "c": 2}
    assert enrichment.answered(1, None).attributes == {"a": 1, "b": 3}
    assert enrichment.answered(1, [1]) is None


# Built in


def test_the_thread_is_named():
    found = attributes_of("thread")
    assert found == {"thread.id": threading.get_ident(), "thread.name": threading.current_thread().name}


def test_the_task_is_named_inside_of_one():
    async def work():
        asyncio.current_task().set_name("checkout")
        return attributes_of("asyncio")

    assert asyncio.run(work()) == {"asyncio.task.name": "checkout"}
    assert attributes_of("asyncio") == {}


def test_the_user_is_the_one_that_was_bound():
    with Recorder(enrichers=["user"]) as recorder:
        log = recorder.logger()
        log.info("nobody")
        with bind_user("u-7", name="ada", roles=["admin"]):
            log.info("ada")
            with bind_user(email="b@example.org"):
                log.info("b")
        assert [record.attributes for record in recorder.records] == [
            {},
            {"user.id": "u-7", "user.name": "ada", "user.roles": ["admin"]},
            {"user.email": "b@example.org"},
        ]


async def test_a_user_is_bound_for_a_task_and_not_for_others():
    async def other():
        return current_user()

    waiting = asyncio.create_task(other())
    async with bind_user(7):
        inside = asyncio.create_task(other())
        assert await inside == {"user.id": 7}
    assert await waiting is None
    assert current_user() is None


def test_a_user_left_in_another_context_is_no_error():
    bound = bind_user("u")
    contextvars.copy_context().run(bound.__enter__)
    bound.__exit__(None, None, None)
    assert current_user() is None


def test_the_process_and_its_owner_are_told_by_the_resource():
    with Recorder(enrichers=["process", "user", "host"]) as recorder:
        recorder.logger().info("x")
        assert recorder.only.attributes == {}
        found = recorder.provider.resource.attributes
    assert found["process.pid"] == os.getpid()
    assert set(found) == {
        "process.pid",
        "process.executable.name",
        "process.runtime.name",
        "process.runtime.version",
        "process.owner",
        "host.name",
        "host.arch",
        "os.type",
    }


def test_arguments_of_the_command_are_told_on_request_only():
    with Recorder(enrichers=["process"], enrichment={"command_args": True}) as recorder:
        assert recorder.provider.resource.attributes["process.command_args"]


def test_what_the_resource_says_already_stays():
    settings = Settings.load(environ={})
    given = Resource({"host.name": "mine"})
    with LoggerProvider(given, settings=settings, exporters=["none"], enrichers=["host"]) as provider:
        assert provider.resource.attributes["host.name"] == "mine"


def test_a_description_that_fails_is_said_and_left_out(told, monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: 1 / 0)
    with Recorder(enrichers=["host", "process"]) as recorder:
        found = recorder.provider.resource.attributes
    assert ("host.name" in found, "process.pid" in found) == (False, True)
    what = "enricher host: ZeroDivisionError: division by zero; the resource goes without it"
    assert told == [("enricher-failed", what)]
