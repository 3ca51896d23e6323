"""Severity numbers against every other scale, table by table."""

import logging

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs._internal import std_to_otel

from fapilog.severity import LEVEL_NAMES, Severity

FROM_STDLIB = {
    **{-10: "TRACE", 0: "TRACE", 1: "TRACE", 4: "TRACE", 5: "TRACE"},
    **{6: "TRACE2", 7: "TRACE3", 8: "TRACE4", 9: "TRACE4"},
    **{10: "DEBUG", 11: "DEBUG2", 12: "DEBUG3", 13: "DEBUG4", 19: "DEBUG4"},
    **{20: "INFO", 21: "INFO2", 22: "INFO3", 23: "INFO4", 24: "INFO4", 25: "INFO2", 26: "INFO4", 29: "INFO4"},
    **{30: "WARN", 31: "WARN2", 32: "WARN3", 33: "WARN4", 39: "WARN4"},
    **{40: "ERROR", 41: "ERROR2", 42: "ERROR3", 43: "ERROR4", 49: "ERROR4"},
    **{50: "FATAL", 51: "FATAL2", 52: "FATAL3", 53: "FATAL4", 54: "FATAL4", 10**9: "FATAL4"},
}

FROM_TEN = {
    **{1: "TRACE2", 2: "DEBUG", 3: "INFO", 4: "INFO3", 5: "WARN"},
    **{6: "WARN3", 7: "ERROR", 8: "ERROR3", 9: "FATAL", 10: "FATAL4"},
}

TO_TEN = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10]

NAMES = {
    **{"trace": 1, "verbose": 1, "debug": 5, "info": 9, "information": 9, "notice": 10, "success": 10},
    **{"audit": 10, "warn": 13, "warning": 13, "security": 14, "error": 17, "err": 17, "exception": 17},
    **{"critical": 21, "crit": 21, "fatal": 21, "emergency": 24, "DEBUG2": 6, " Fatal4 ": 24, "WARNING": 13},
}


def test_names_and_numbers_are_those_of_opentelemetry():
    assert {s.text: int(s) for s in Severity} == {
        s.name: s.value for s in SeverityNumber if s is not SeverityNumber.UNSPECIFIED
    }


@pytest.mark.parametrize(("levelno", "text"), FROM_STDLIB.items())
def test_a_level_number_of_logging_becomes_a_severity(levelno, text):
    assert Severity.from_stdlib(levelno).text == text


@pytest.mark.parametrize("levelno", [n for n in range(10, 70) if n != 25])
def test_level_numbers_from_10_map_as_the_sdk_maps_them_so_that_dashboards_do_not_shift(levelno):
    assert Severity.from_stdlib(levelno) == std_to_otel(levelno).value


@pytest.mark.parametrize("severity", Severity)
def test_a_severity_survives_the_way_to_logging_and_back(severity):
    assert Severity.from_stdlib(severity.to_stdlib()) is severity


def test_level_numbers_of_logging_grow_with_the_severity():
    numbers = [severity.to_stdlib() for severity in Severity]
    assert numbers == sorted(set(numbers))
    assert [Severity[name].to_stdlib() for name in ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")] == [
        logging.DEBUG,
        logging.INFO,
        logging.WARNING,
        logging.ERROR,
        logging.CRITICAL,
    ]


@pytest.mark.parametrize(("name", "number"), NAMES.items())
def test_a_level_name_is_understood_in_any_case(name, number):
    assert Severity.from_level_name(name) == number


def test_every_level_name_is_in_the_table_of_this_test_or_is_a_short_name():
    short = {severity.text.lower() for severity in Severity}
    assert set(LEVEL_NAMES) - short == {name.strip().lower() for name in NAMES} - short


def test_an_unknown_level_name_is_refused_with_the_close_one():
    with pytest.raises(ValueError, match=r"unknown level 'wraning'; did you mean warning\?"):
        Severity.from_level_name("wraning")
    with pytest.raises(ValueError, match=r"unknown level 'zzz' \(trace debug"):
        Severity.from_level_name("zzz")


@pytest.mark.parametrize(("ten", "text"), FROM_TEN.items())
def test_the_scale_to_ten_maps_to_a_severity_and_back(ten, text):
    assert Severity.from_ten(ten).text == text
    assert Severity.from_ten(ten).to_ten() == ten


def test_every_severity_has_a_place_on_the_scale_to_ten():
    assert [severity.to_ten() for severity in Severity] == TO_TEN


@pytest.mark.parametrize("ten", [0, 11, -1])
def test_a_number_off_the_scale_to_ten_is_refused(ten):
    with pytest.raises(ValueError, match="not in 1-10"):
        Severity.from_ten(ten)
