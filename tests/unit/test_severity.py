"""Severity numbers against every other scale, table by table."""

import logging

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs._internal import std_to_otel

from fapilog.severity import LEVEL_NAMES, Severity

FROM_STDLIB = {
    "TRACE": [-10, 0, 1, 4, 5],
    "TRACE2": [6],
    "TRACE3": [7],
    "TRACE4": [8, 9],
    "DEBUG": [10],
    "DEBUG2": [11],
    "DEBUG3": [12],
    "DEBUG4": [13, 15, 19],
    "INFO": [20],
    "INFO2": [21, 25],
    "INFO3": [22],
    "INFO4": [23, 24, 26, 29],
    "WARN": [30],
    "WARN2": [31],
    "WARN3": [32],
    "WARN4": [33, 39],
    "ERROR": [40],
    "ERROR2": [41],
    "ERROR3": [42],
    "ERROR4": [43, 49],
    "FATAL": [50],
    "FATAL2": [51],
    "FATAL3": [52],
    "FATAL4": [53, 54, 10**9],
}

# Index: severity 1-10, minus one.
FROM_TEN = ["TRACE2", "DEBUG", "INFO", "INFO3", "WARN", "WARN3", "ERROR", "ERROR3", "FATAL", "FATAL4"]

TO_TEN = [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 9, 10]

NAMES = {
    "TRACE": ["trace", "verbose", " Trace "],
    "DEBUG": ["debug", "DEBUG"],
    "DEBUG2": ["DEBUG2"],
    "INFO": ["info", "information"],
    "INFO2": ["notice", "success", "audit"],
    "WARN": ["warn", "warning", "WARNING"],
    "WARN2": ["security"],
    "ERROR": ["error", "err", "exception"],
    "FATAL": ["critical", "crit", "fatal"],
    "FATAL4": ["emergency", "Fatal4"],
}


def rows(table):
    return [(item, name) for name, items in table.items() for item in items]


def test_names_and_numbers_are_those_of_opentelemetry():
    assert {s.text: int(s) for s in Severity} == {
        s.name: s.value for s in SeverityNumber if s is not SeverityNumber.UNSPECIFIED
    }


@pytest.mark.parametrize(("levelno", "text"), rows(FROM_STDLIB))
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


@pytest.mark.parametrize(("name", "text"), rows(NAMES))
def test_a_level_name_is_understood_in_any_case(name, text):
    assert Severity.from_level_name(name).text == text


def test_every_level_name_is_in_the_table_of_this_test_or_is_a_short_name():
    short = {severity.text.lower() for severity in Severity}
    assert set(LEVEL_NAMES) - short == {name.strip().lower() for name, _ in rows(NAMES)} - short


def test_an_unknown_level_name_is_refused_with_the_close_one():
    with pytest.raises(ValueError, match=r"unknown level 'wraning'; did you mean warning\?"):
        Severity.from_level_name("wraning")
    with pytest.raises(ValueError, match=r"unknown level 'zzz' \(trace debug"):
        Severity.from_level_name("zzz")


@pytest.mark.parametrize(("ten", "text"), list(enumerate(FROM_TEN, start=1)))
def test_the_scale_to_ten_maps_to_a_severity_and_back(ten, text):
    assert Severity.from_ten(ten).text == text
    assert Severity.from_ten(ten).to_ten() == ten


def test_every_severity_has_a_place_on_the_scale_to_ten():
    assert [severity.to_ten() for severity in Severity] == TO_TEN


@pytest.mark.parametrize("ten", [0, 11, -1])
def test_a_number_off_the_scale_to_ten_is_refused(ten):
    with pytest.raises(ValueError, match="not in 1-10"):
        Severity.from_ten(ten)
