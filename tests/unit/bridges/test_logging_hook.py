"""Records of `logging` arrive once, however `logging` is configured, before, after, or not at all."""

import gc
import logging
import logging.config
import logging.handlers
import queue
import sys
import weakref

import pytest

from fapilog import configure_otel, diagnostics
from fapilog.bridges import logging_hook, stdlib
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.recording import Recorder

ORIGINAL = logging.Logger.callHandlers


def bodies(bare_bridge) -> list[object]:
    return [record.body for record in bare_bridge.recorder.records]


def dict_config(**changes):
    config = {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"null": {"class": "logging.NullHandler"}},
        "root": {"level": "INFO", "handlers": ["null"]},
    }
    logging.config.dictConfig(config | changes)


def file_config(tmp_path):
    path = tmp_path / "logging.ini"
    path.write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=null\n[formatters]\nkeys=\n"
        "[logger_root]\nlevel=INFO\nhandlers=null\n[handler_null]\nclass=NullHandler\nargs=()\n"
    )
    logging.config.fileConfig(path, disable_existing_loggers=False)


def test_the_hook_comes_back_after_somebody_took_it_out(monkeypatch):
    with Recorder() as recorder, bare_logging():
        with monkeypatch.context() as patch:
            patch.setattr(logging.Logger, "callHandlers", lambda logger, record: ORIGINAL(logger, record))  # noqa: PLW0108 - another object
            remove = stdlib.install(recorder.provider.handle)
        remove()
        remove = stdlib.install(recorder.provider.handle)
        logging.getLogger("shop").warning("after it")
        remove()
        assert [record.body for record in recorder.records] == ["after it"]
    assert logging.Logger.callHandlers is ORIGINAL


@pytest.mark.parametrize(
    "configure",
    [
        lambda path: dict_config(),
        lambda path: dict_config(incremental=True, handlers={}, root={"level": "INFO"}),
        lambda path: dict_config(loggers={"shop": {"level": "INFO", "handlers": ["null"]}}),
        file_config,
        lambda path: logging.basicConfig(force=True, level=logging.INFO, handlers=[logging.NullHandler()]),
        lambda path: logging.basicConfig(handlers=[logging.NullHandler()]),
        lambda path: setattr(logging.getLogger(), "handlers", []),
        lambda path: logging.getLogger().handlers.clear(),
    ],
    ids=[
        *(
            "dictConfig",
            "dictConfig incremental",
            "dictConfig of the logger",
            "fileConfig",
            "basicConfig forced",
        ),
        *("basicConfig", "handlers replaced", "handlers cleared"),
    ],
)
def test_configuring_logging_later_takes_nothing_away_and_doubles_nothing(bare_bridge, tmp_path, configure):
    configure(tmp_path)
    logging.getLogger("shop").info("order placed")
    assert bodies(bare_bridge) == ["order placed"]


def test_basic_config_still_finds_an_unconfigured_root_logger(bare_bridge):
    logging.basicConfig(level=logging.INFO, handlers=[logging.NullHandler()])
    assert len(bare_bridge.root.handlers) == 1
    assert not logging.getLogger("shop").handlers


def test_uvicorn_s_own_configuration_loses_no_record_and_doubles_none(bare_bridge):
    from uvicorn.config import Config

    Config("app:app", log_level="info").configure_logging()
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = [logging.NullHandler()] if name != "uvicorn.error" else []
    logging.getLogger("uvicorn").info("a")
    logging.getLogger("uvicorn.error").info("b")
    logging.getLogger("uvicorn.access").info('%s - "%s"', "127.0.0.1", "GET /")
    names = [record.scope_name for record in bare_bridge.recorder.records]
    assert (bodies(bare_bridge), names) == (
        ["a", "b", '127.0.0.1 - "GET /"'],
        ["uvicorn", "uvicorn.error", "uvicorn.access"],
    )


def test_uvicorn_without_a_configuration_writes_its_access_log():
    access = logging.getLogger("uvicorn.access")
    with bare_logging(), Recorder() as recorder:
        remove = stdlib.install(recorder.provider.handle)
        # What uvicorn asks before it writes a line.
        assert access.hasHandlers()
        access.info("GET /")
        remove()
        assert (access.hasHandlers(), [record.body for record in recorder.records]) == (False, ["GET /"])


def test_uvicorn_that_was_told_to_write_no_access_log_writes_none():
    from uvicorn.config import Config

    access = logging.getLogger("uvicorn.access")
    with bare_logging(), Recorder() as recorder:
        Config("app:app", access_log=False).configure_logging()
        remove = stdlib.install(recorder.provider.handle)
        assert not access.hasHandlers()
        remove()
        assert (access.handlers, access.propagate) == ([], False)


def test_gunicorn_s_own_configuration_loses_no_record_and_doubles_none(bare_bridge):
    from gunicorn.config import Config
    from gunicorn.glogging import Logger

    log = Logger(Config())
    log.error_log.handlers = [logging.NullHandler()]
    log.info("booting")
    log.access_log.info("GET /")
    assert bodies(bare_bridge) == ["booting", "GET /"]


@pytest.mark.parametrize(
    "name",
    [
        *("uvicorn", "uvicorn.error", "uvicorn.access", "gunicorn.error", "gunicorn.access"),
        *("celery", "celery.app.trace", "celery.redirected"),
    ],
)
@pytest.mark.parametrize("propagates", [True, False])
def test_a_server_s_record_arrives_once_whether_it_propagates_or_not(bare_bridge, name, propagates):
    logger = logging.getLogger(name)
    before, logger.propagate = logger.propagate, propagates
    try:
        logger.warning("x", extra={"a": 1})
    finally:
        logger.propagate = before
    assert [record.scope_name for record in bare_bridge.recorder.records] == [name]


@pytest.mark.parametrize("name", ["shop", "celeryd", "uvicorn_like", "gunicorn"])
def test_a_logger_of_the_application_that_does_not_propagate_keeps_its_records(bare_bridge, name):
    logger = logging.getLogger(name)
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    try:
        logger.warning("private")
    finally:
        logger.propagate, logger.handlers = True, []
    assert bodies(bare_bridge) == []


def test_a_logger_that_belongs_to_no_hierarchy_is_left_alone(bare_bridge):
    logging.Logger("alone").warning("x")
    assert bodies(bare_bridge) == []


@pytest.mark.parametrize("cut", [{"disabled": True}, {"level": logging.ERROR}])
def test_what_logging_filters_itself_never_arrives(bare_bridge, cut):
    vars(logging.getLogger("shop")).update(cut)
    logging.getLogger("shop").manager._clear_cache()
    logging.getLogger("shop").warning("x")
    assert bodies(bare_bridge) == []


def test_a_warning_that_no_handler_gets_still_reaches_stderr(bare_bridge, capsys, monkeypatch):
    monkeypatch.setattr(logging.lastResort, "_stderr", None, raising=False)
    logging.getLogger("shop").info("quiet")
    logging.getLogger("shop").warning("loud")
    assert (bodies(bare_bridge), capsys.readouterr().err) == (["quiet", "loud"], "loud\n")


def test_with_a_console_of_ours_a_warning_is_shown_once(capsys):
    with bare_logging(), Recorder(exporters=("console",), console={"style": "minimal"}) as recorder:
        remove = stdlib.install(recorder.provider.handle)
        logging.getLogger("shop").warning("loud")
        remove()
    assert capsys.readouterr().err.count("loud") == 1


def test_without_last_resort_logging_complains_as_ever(bare_bridge, capsys, monkeypatch):
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging.root.manager, "emittedNoHandlerWarning", False)
    logging.getLogger("shop").warning("x")
    assert capsys.readouterr().err == 'No handlers could be found for logger "shop"\n'


def test_one_hook_serves_every_bridge_and_goes_with_the_last():
    with bare_logging(), Recorder() as one, Recorder() as two:
        remove_one = stdlib.install(one.provider.handle)
        hook = logging.Logger.callHandlers
        remove_two = stdlib.install(two.provider.handle)
        assert logging.Logger.callHandlers is hook is not ORIGINAL
        logging.getLogger("shop").info("both")
        remove_one()
        logging.getLogger("shop").info("two")
        remove_one()
        remove_two()
        logging.getLogger("shop").info("none")
    assert [[r.body for r in recorder.records] for recorder in (one, two)] == [["both"], ["both", "two"]]
    assert logging.Logger.callHandlers is ORIGINAL


def test_a_hook_that_somebody_wrapped_stays_and_serves_again(monkeypatch):
    with bare_logging() as root, Recorder() as recorder:
        root.addHandler(logging.NullHandler())
        root.setLevel(logging.INFO)
        seen = []
        remove = stdlib.install(recorder.provider.handle)
        ours = logging.Logger.callHandlers

        def wrapped(self, record):
            seen.append(record.msg)
            ours(self, record)

        monkeypatch.setattr(logging.Logger, "callHandlers", wrapped)
        remove()
        logging.getLogger("shop").info("between")
        remove = stdlib.install(recorder.provider.handle)
        logging.getLogger("shop").info("again")
        remove()
        monkeypatch.undo()
        assert (seen, [record.body for record in recorder.records]) == (["between", "again"], ["again"])
        # Nobody holds on to the hook now; the next bridge finds it in its place and takes it out.
        stdlib.install(recorder.provider.handle)()
    assert logging.Logger.callHandlers is ORIGINAL


def test_a_record_that_meets_the_hook_and_handlers_of_the_same_pipeline_is_taken_once(bare_bridge):
    shop = logging.getLogger("shop")
    for logger in (shop, bare_bridge.root):
        logger.addHandler(stdlib.FapilogHandler(bare_bridge.recorder.provider.handle))
    shop.warning("x")
    shop.warning("x")
    assert bodies(bare_bridge) == ["x", "x"]


def test_a_record_that_is_handled_again_is_taken_once(bare_bridge):
    class Forward(logging.Handler):
        def emit(self, record):
            logging.getLogger("audit").handle(record)

    logging.getLogger("shop").addHandler(Forward())
    logging.getLogger("shop").warning("x")
    assert bodies(bare_bridge) == ["x"]


def test_handlers_of_different_pipelines_each_take_a_record(bare_bridge):
    with Recorder() as other:
        bare_bridge.root.addHandler(stdlib.FapilogHandler(other.provider.handle))
        logging.getLogger("shop").warning("x")
        assert (bodies(bare_bridge), [record.body for record in other.records]) == (["x"], ["x"])


def test_records_of_several_threads_are_told_apart(bare_bridge):
    import threading

    bare_bridge.root.addHandler(stdlib.FapilogHandler(bare_bridge.recorder.provider.handle))

    def work(name):
        for number in range(200):
            logging.getLogger("shop").warning("%s-%d", name, number)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    found = bodies(bare_bridge)
    assert (len(found), set(found)) == (800, {f"{name}-{number}" for name in "abcd" for number in range(200)})


def test_the_bridge_has_a_level_and_filters_of_its_own():
    with bare_logging(logging.DEBUG), Recorder() as recorder:
        handler = stdlib.FapilogHandler(recorder.provider.handle, logging.WARNING)
        handler.addFilter(lambda record: record.msg != "secret")
        remove = logging_hook.hook(handler)
        for message in ("secret", "plain"):
            logging.getLogger("shop").warning(message)
            logging.getLogger("shop").info(message)
        remove()
    assert [record.body for record in recorder.records] == ["plain"]


def test_an_interrupt_while_a_record_is_read_reaches_the_application(bare_bridge):
    class Interrupts:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        logging.getLogger("shop").warning("%s", Interrupts())
    logging.getLogger("shop").warning("after")
    assert bodies(bare_bridge) == ["%s", "after"]


def test_a_value_that_logs_while_it_is_read_is_kept_with_what_it_logs(bare_bridge):
    class Chatty:
        def __str__(self) -> str:
            logging.getLogger("inner").warning("being read")
            return "text"

    logging.getLogger("shop").warning("outer %s", Chatty())
    assert bodies(bare_bridge)[:2] == ["being read", "outer text"]


@pytest.mark.parametrize("handlers", [[logging.NullHandler()], []], ids=["one handler", "lastResort"])
def test_a_value_that_logs_itself_ends(bare_bridge, monkeypatch, capsys, handlers):
    class Endless:
        def __str__(self) -> str:
            logging.getLogger("inner").warning("read %s", self)
            return "text"

    # Its complaint about each level is logging's own business.
    monkeypatch.setattr(logging, "raiseExceptions", False)
    bare_bridge.root.handlers = handlers
    logging.getLogger("shop").warning("outer", extra={"value": Endless()})
    ledger = bare_bridge.recorder.provider.ledger()
    assert (bodies(bare_bridge)[-1], ledger.balanced) == ("outer", True)
    # Every further level doubles the number of readings, so levels are few.
    assert len(bodies(bare_bridge)) < 2_000


@pytest.mark.parametrize(
    "extra",
    [
        {"circle": []},
        {"object": type("Refuses", (), {"__str__": lambda self: 1 / 0})()},
        {"object": type("Lies", (), {"__getattr__": lambda self, name: 1 / 0})()},
    ],
    ids=["circular", "raising __str__", "raising __getattr__"],
)
def test_what_makes_the_stock_handler_raise_is_kept_with_its_neighbours(bare_bridge, extra):
    circle = extra.get("circle")
    if circle is not None:
        circle.append(circle)
    log = logging.getLogger("shop")
    log.warning("before")
    log.warning("odd", extra=extra)
    log.warning("%s %s", *[1])
    log.warning("after")
    assert bodies(bare_bridge) == ["before", "odd", "%s %s", "after"]


def test_a_queue_handler_gets_the_record_as_it_was(bare_bridge):
    records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
    bare_bridge.root.addHandler(logging.handlers.QueueHandler(records))
    logging.getLogger("shop").warning("%d items", 2)
    assert (records.get().getMessage(), bodies(bare_bridge)) == ("2 items", ["2 items"])


def test_opentelemetry_s_own_handler_on_root_keeps_the_records_and_that_is_said_once(capsys):
    from opentelemetry.instrumentation.logging.handler import LoggingHandler

    diagnostics._voice.forget()
    with bare_logging() as root, Recorder() as recorder:
        root.addHandler(LoggingHandler(logger_provider=recorder.provider))
        for _ in range(2):
            remove = stdlib.install(recorder.provider.handle)
            logging.getLogger("shop").warning("x")
            remove()
    assert [record.body for record in recorder.records] == ["x", "x"]
    assert logging.Logger.callHandlers is ORIGINAL
    said = (
        "fapilog: opentelemetry.instrumentation.logging.handler.LoggingHandler is on the root logger and"
        " keeps the records of logging; take it off to have ours [stock-handler]\n"
    )
    assert capsys.readouterr().err == said


def test_a_configured_process_takes_records_and_gives_logging_back(capsys):
    with bare_logging() as root:
        telemetry = configure_otel(exporters=["none"])
        logging.getLogger("shop").info("x")
        accepted = telemetry.ledger().accepted
        telemetry.shutdown()
        assert (accepted, root.handlers, root.level) == (1, [], logging.WARNING)
    assert (logging.Logger.callHandlers is ORIGINAL, sys.exc_info()) == (True, (None, None, None))


def test_what_a_record_needs_is_let_go_of_with_the_record(bare_bridge):
    log, handle = logging.getLogger("shop"), bare_bridge.recorder.provider.handle
    log.addHandler(logging.NullHandler())
    pipeline = handle.pipeline

    def log_some():
        for number in range(500):
            log.info("x %d", number, extra={"a": 1})
            log.error("y", exc_info=ValueError("z"))
        # Nothing native is called in between: that would clear up what was put off.
        references = sum(type(one) is weakref.ReferenceType for one in gc.get_objects())
        return sys.getrefcount(handle), sys.getrefcount(pipeline), references

    bare_bridge.recorder.provider.pipeline.remove_tap(bare_bridge.recorder._tap)
    log_some()
    assert log_some() == log_some()
