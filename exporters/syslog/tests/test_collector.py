"""Beside the messages of the Collector's exporter: what is the same, and what the page says differs."""

from pathlib import Path

import pytest

from exporters.syslog.tests.records import TIME, batch_of, read
from tests.servers.rfc5424 import NotRfc5424Error, parse, split

GOLDEN, REST = split((Path(__file__).parent / "data" / "collector_0.144.txt").read_bytes())
NOTE = 'a ] b \\ " \n é'
RESOURCE = {"host.name": "web-3", "service.name": "checkout", "process.pid": 4711}


def ours(**attributes):
    record = {
        "time_unix_nano": TIME,
        "severity_number": 9,
        "body": "order placed",
        "event_name": "order.placed",
        "attributes": attributes,
    }
    (message,) = read(batch_of(record, resource=RESOURCE))
    return message


def header(message):
    named = (message.time, message.hostname, message.app_name, message.procid, message.msgid)
    return message.facility, message.severity, *named


def test_what_its_receiver_would_have_read_is_written_alike_but_for_the_newline():
    theirs, mine = parse(GOLDEN[1]), ours(order_id=42)
    assert header(theirs) == header(mine)
    assert theirs.data["attributes@32473"] == mine.data["attributes@32473"]
    assert theirs.text == f"{mine.text}\n"
    assert REST == b""


def test_of_a_record_of_an_application_it_sends_the_time_alone():
    with pytest.raises(NotRfc5424Error, match=r"no space before the text"):
        parse(GOLDEN[0])
    theirs = parse(GOLDEN[0].removesuffix(b"\n"))
    assert header(theirs) == (20, 5, ours().time, "-", "-", "-", "-")
    assert (theirs.data, theirs.text) == ({}, None)


def test_it_does_not_escape_what_ends_an_element():
    with pytest.raises(NotRfc5424Error, match=r"not escaped"):
        parse(GOLDEN[2])
    assert ours(note=NOTE).element("attributes") == {"note": NOTE.replace("\n", "\\n")}
