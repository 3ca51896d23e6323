"""Warnings that become records: their place, their category, and what is left behind."""

import inspect
import logging
import sys
import warnings

import pytest

from fapilog.bridges import stdlib
from tests.unit.bridges.logging_state import bare_logging
from tests.unit.recording import Recorder


def test_warnings_of_a_program_that_captured_them_before_stay_captured():
    with bare_logging(), Recorder() as recorder, warnings.catch_warnings():
        logging.captureWarnings(True)
        try:
            stdlib.install(recorder.provider.handle, capture_warnings=True)()
            assert warnings.showwarning.__module__ == "logging"
        finally:
            logging.captureWarnings(False)


class Gone(UserWarning):
    """A category of an application."""


@pytest.mark.parametrize("before", [False, True])
def test_a_warning_carries_its_own_place_and_its_category(before):
    path = "/srv/app.py"
    with bare_logging(), Recorder(capture_location="auto") as recorder, warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(before)
        remove = stdlib.install(recorder.provider.handle, capture_warnings=True)
        try:
            warnings.warn_explicit("old thing", DeprecationWarning, path, 12)
            warnings.warn_explicit("gone thing", Gone, path, 13)
            warnings.warn("here", stacklevel=1)
            line = inspect.currentframe().f_lineno - 1
        finally:
            remove()
            logging.captureWarnings(False)
    old, gone, here = recorder.records
    assert old.body == "/srv/app.py:12: DeprecationWarning: old thing\n"
    assert (old.severity_number, old.scope_name, old.attributes) == (
        13,
        "py.warnings",
        {
            "code.file.path": path,
            "code.line.number": 12,
            "fapilog.warning.category": "DeprecationWarning",
        },
    )
    assert gone.attributes["fapilog.warning.category"] == f"{__name__}.Gone"
    assert here.attributes == {
        "code.file.path": __file__,
        "code.line.number": line,
        "fapilog.warning.category": "UserWarning",
    }


def test_records_of_others_on_the_logger_of_warnings_are_ordinary_ones():
    with bare_logging(logging.INFO), Recorder(capture_location="always") as recorder:
        remove = stdlib.install(recorder.provider.handle, capture_warnings=True)
        logging.getLogger("py.warnings").info("by hand", extra={"k": 1})
        remove()
    name = "test_records_of_others_on_the_logger_of_warnings_are_ordinary_ones"
    assert recorder.only.attributes.pop("code.line.number") > 0
    assert recorder.only.attributes == {
        "k": 1,
        "code.file.path": __file__,
        "code.function.name": name,
    }


def test_a_warning_that_is_written_to_a_file_is_not_logged(monkeypatch):
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda *given: shown.append(given))
    with bare_logging(), Recorder() as recorder:
        remove = stdlib.install(recorder.provider.handle, capture_warnings=True)
        warnings.showwarning("old", UserWarning, "/srv/app.py", 1, sys.stderr)
        remove()
    assert (recorder.records, shown) == ([], [("old", UserWarning, "/srv/app.py", 1, sys.stderr, None)])


def test_captured_warnings_leave_nothing_behind():
    logger = logging.getLogger("py.warnings")
    before = list(logger.handlers)
    with bare_logging(), Recorder() as recorder, warnings.catch_warnings():
        warnings.simplefilter("always")
        show = warnings.showwarning
        remove = stdlib.install(recorder.provider.handle, capture_warnings=True)
        warnings.warn("old thing", DeprecationWarning, stacklevel=1)
        remove()
        assert (warnings.showwarning is show, logger.handlers) == (True, before)
    assert [record.scope_name for record in recorder.records] == ["py.warnings"]
