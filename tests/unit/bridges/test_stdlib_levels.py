"""Levels and rules of ours decide which records `logging` makes, and other handlers notice nothing."""

import logging
import time
from contextlib import nullcontext

import pytest

from fapilog import LoggerProvider, Settings, configure_otel
from fapilog.bridges import stdlib
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.recording import decode

DEBUG, INFO, WARNING, ERROR = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
ORIGINAL = logging.Logger.getEffectiveLevel
shop, other = logging.getLogger("shop"), logging.getLogger("other")


class Bridged:
    """A provider with settings, and its bridge; `bare`: in a `logging` that nobody has configured."""

    def __init__(self, *before, bare=True, **settings):
        self._before, self.bodies = before, []
        self._bare = bare_logging() if bare else nullcontext(logging.getLogger())
        # Not for a default: a level that nobody chose is what some tests are about.
        settings = Settings.load(environ={}, **settings)
        self.provider = LoggerProvider(settings=settings, exporters=["none"])
        self.provider.pipeline.add_tap(self._tap)

    def _tap(self, record, scope):
        self.bodies.append(decode(record, scope).body)

    def __enter__(self):
        self.root = self._bare.__enter__()
        for step in self._before:
            step(self.root)
        self._remove = stdlib.install(self.provider.handle)
        return self

    def __exit__(self, *error):
        self._remove()
        self._bare.__exit__(*error)
        self.provider.shutdown()


class Seen(logging.Handler):
    """A handler of the application."""

    def __init__(self):
        super().__init__()
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


def configured(level):
    """The root logger as an application configures it."""
    return lambda root: (root.setLevel(level), root.addHandler(logging.NullHandler()))


@pytest.mark.parametrize(
    ("settings", "before", "level"),
    [
        ({}, None, INFO),
        ({"level": "debug"}, None, DEBUG),
        ({"level": "trace"}, None, 5),
        ({"level": "error"}, None, WARNING),
        ({"levels": {"shop": "debug"}}, None, DEBUG),
        ({"levels": {"else": "debug"}}, None, INFO),
        ({"rules": {"sh*": "debug"}}, None, DEBUG),
        ({"rules": {"sh*": "off"}}, None, WARNING),
        ({"rules": {"sh*": "trace_based"}, "level": "debug"}, None, DEBUG),
        ({"rules": {"*": "debug"}}, None, DEBUG),
        ({}, configured(WARNING), WARNING),
        ({}, configured(DEBUG), DEBUG),
        ({"level": "info"}, configured(WARNING), INFO),
        ({"rules": {"sh*": "debug"}}, configured(WARNING), DEBUG),
        ({"level": "debug"}, lambda _: shop.setLevel(ERROR), ERROR),
        ({"rules": {"*": "debug"}}, lambda _: shop.setLevel(ERROR), ERROR),
        ({"rules": {"shop": "debug"}}, lambda _: shop.setLevel(ERROR), DEBUG),
        ({"levels": {"shop": "debug"}}, lambda _: shop.setLevel(ERROR), DEBUG),
        ({"rules": {"shop": "warn"}}, lambda _: shop.setLevel(DEBUG), DEBUG),
        ({"level": "debug"}, lambda _: setattr(shop, "propagate", False), WARNING),
    ],
)
def test_the_effective_level_is_the_lower_one_of_the_application_s_and_ours(settings, before, level):
    with Bridged(*([before] if before else []), **settings) as bridged:
        answers = shop.getEffectiveLevel(), shop.isEnabledFor(level), shop.isEnabledFor(level - 1)
        assert answers == (level, True, False)
        assert bridged.root.level in (WARNING, DEBUG)
    assert type(logging.getLogger().level) is int


def test_a_level_that_the_application_gives_to_root_later_counts_again():
    with Bridged() as bridged:
        assert shop.isEnabledFor(INFO)
        bridged.root.setLevel(WARNING)
        assert not shop.isEnabledFor(INFO)


def test_what_is_disabled_in_logging_stays_disabled():
    with Bridged(level="debug"):
        logging.disable(INFO)
        try:
            assert not shop.isEnabledFor(INFO)
        finally:
            logging.disable(logging.NOTSET)
        assert shop.isEnabledFor(INFO)


@pytest.mark.parametrize("change", ["set_level", "set_rules"])
def test_a_change_at_run_time_reaches_loggers_that_were_asked_before(change):
    with Bridged() as bridged:
        shop.debug("before")
        getattr(bridged.provider, change)(
            *{"set_level": ("debug",), "set_rules": ({"sh*": "debug"},)}[change]
        )
        shop.debug("during")
        getattr(bridged.provider, change)(*{"set_level": ("info",), "set_rules": ({},)}[change])
        shop.debug("after")
        assert (bridged.bodies, shop.isEnabledFor(DEBUG)) == (["during"], False)


def test_a_time_box_reaches_logging_and_the_first_record_after_it_gives_the_level_back():
    with Bridged() as bridged:
        bridged.provider.set_rules({"sh*": "debug"}, for_seconds=0.2)
        shop.debug("in the box")
        assert shop.isEnabledFor(DEBUG)
        end = time.monotonic() + 0.25
        while time.monotonic() < end:
            pass
        shop.debug("after the box")
        assert (bridged.bodies, shop.isEnabledFor(DEBUG)) == (["in the box"], False)


def test_other_handlers_get_what_they_would_get_without_the_bridge():
    seen, of_shop = Seen(), Seen()
    with Bridged(lambda root: root.addHandler(seen), level="debug") as bridged:
        shop.addHandler(of_shop)
        for log, level in ((shop, DEBUG), (shop, INFO), (shop, WARNING), (other, INFO), (other, ERROR)):
            log.log(level, "%s %d", log.name, level)
        expected = ["shop 30", "other 40"]
        assert (seen.messages, of_shop.messages) == (expected, ["shop 30"])
        assert bridged.bodies == ["shop 10", "shop 20", "shop 30", "other 20", "other 40"]
        bridged.root.setLevel(INFO)
        shop.info("asked for")
        assert (seen.messages, bridged.bodies[5:]) == ([*expected, "asked for"], ["asked for"])


def test_last_resort_says_nothing_that_the_application_did_not_ask_for(capsys):
    with Bridged(lambda _: shop.setLevel(ERROR), rules={"shop": "debug"}) as bridged:
        shop.warning("a warning")
        shop.error("an error")
        assert bridged.bodies == ["a warning", "an error"]
    assert capsys.readouterr().err == "an error\n"


def test_a_record_that_is_handed_over_reaches_other_handlers_whatever_its_level():
    seen = Seen()
    with Bridged(lambda root: root.addHandler(seen), level="debug") as bridged:
        shop.debug("made here")
        shop.handle(logging.makeLogRecord({"name": "shop", "levelno": DEBUG, "msg": "from elsewhere"}))
        assert (seen.messages, bridged.bodies) == (["from elsewhere"], ["made here", "from elsewhere"])


def test_a_record_that_a_handler_hands_on_inside_of_a_log_call_reaches_the_handlers_there():
    seen = Seen()

    class HandingOn(logging.Handler):
        def emit(self, record):
            shop.handle(record)

    with Bridged(lambda _: (shop.setLevel(ERROR), shop.addHandler(seen)), levels={"shop": "debug"}):
        shop.debug("made here")
        other.setLevel(DEBUG)
        other.addHandler(handing_on := HandingOn())
        try:
            other.debug("handed on")
        finally:
            other.setLevel(logging.NOTSET)
            other.removeHandler(handing_on)
    assert seen.messages == ["handed on"]


class WithWaysOfItsOwn(logging.Logger):
    """A logger of an application, with a log call that passes several hands before it reaches `logging`."""

    def _log(self, level, msg, args, **_):
        self.deeper(8, self.makeRecord(self.name, level, "file", 1, msg, args, None))

    def deeper(self, levels, record):
        self.deeper(levels - 1, record) if levels else self.handle(record)

    def handle(self, record):
        super().handle(record)


def test_a_logger_of_a_class_of_its_own_hides_from_other_handlers_what_only_we_want():
    seen, log = Seen(), WithWaysOfItsOwn("odd")
    with Bridged(lambda root: root.addHandler(seen), level="debug") as bridged:
        log.parent, log.manager = bridged.root, bridged.root.manager
        log.debug("detail")
        log.warning("trouble")
        assert (seen.messages, bridged.bodies) == (["trouble"], ["detail", "trouble"])


def test_several_bridges_get_what_the_most_curious_one_wants_and_each_keeps_its_own():
    with Bridged(level="error") as quiet:
        with Bridged(bare=False, level="debug") as curious:
            shop.debug("x")
        shop.debug("y")
        assert (curious.bodies, quiet.bodies, shop.isEnabledFor(DEBUG)) == (["x"], [], False)


def test_a_wrapped_answer_stays_when_the_bridge_is_removed(monkeypatch):
    with Bridged(level="debug"):
        ours = logging.Logger.getEffectiveLevel
        monkeypatch.setattr(logging.Logger, "getEffectiveLevel", lambda logger: ours(logger))  # noqa: PLW0108 - another object
        assert shop.getEffectiveLevel() == DEBUG
    with bare_logging():
        assert shop.getEffectiveLevel() == WARNING
    monkeypatch.setattr(logging.Logger, "getEffectiveLevel", ORIGINAL)


def test_a_bridge_comes_back_after_somebody_took_the_answer_out(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(logging.Logger, "getEffectiveLevel", lambda logger: ORIGINAL(logger))  # noqa: PLW0108 - another object
        bridged = Bridged(level="debug")
        bridged.__enter__()
    bridged.__exit__(None, None, None)
    with Bridged(level="debug"):
        assert shop.getEffectiveLevel() == DEBUG
    assert logging.Logger.getEffectiveLevel is ORIGINAL


def test_configure_otel_with_a_level_lets_logging_make_its_records():
    with bare_logging() as root:
        telemetry = configure_otel(exporters=["none"], level="debug")
        logging.getLogger("q").debug("x")
        accepted, enabled = telemetry.ledger().accepted, logging.getLogger("q").isEnabledFor(DEBUG)
        telemetry.shutdown()
        assert (accepted, enabled, root.level, shop.isEnabledFor(INFO)) == (1, True, WARNING, False)
