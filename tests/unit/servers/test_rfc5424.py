"""The strict reader of syslog takes the examples of RFC 5424, and nothing that breaks its grammar."""

import pytest

from tests.servers.rfc5424 import NotRfc5424Error, parse, split

# RFC 5424, 6.5.
EXAMPLES = [
    b"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed",
    b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    b'<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"'
    b' eventSource="Application" eventID="1011"] \xef\xbb\xbfAn application event log entry...',
    b'<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"'
    b' eventSource="Application" eventID="1011"][examplePriority@32473 class="high"]',
]
HEADER = b"<14>1 - h a p m "


def test_the_examples_of_the_standard_are_read():
    read = [parse(example) for example in EXAMPLES]
    assert [(each.facility, each.severity, each.app_name, each.bom) for each in read] == [
        (4, 2, "su", True),
        (20, 5, "myproc", False),
        (20, 5, "evntslog", True),
        (20, 5, "evntslog", False),
    ]
    assert read[3].data == {
        "exampleSDID@32473": [("iut", "3"), ("eventSource", "Application"), ("eventID", "1011")],
        "examplePriority@32473": [("class", "high")],
    }
    assert (read[3].text, read[1].text) == (None, "%% It's time to make the do-nuts.")
    assert read[2].element("exampleSDID")["iut"] == "3"


def test_values_are_unescaped():
    (value,) = parse(HEADER + rb'[a@1 b="\"\\\]"]').data["a@1"]
    assert value == ("b", '"\\]')


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        b"<192>1 - h a p m -",
        b"<014>1 - h a p m -",
        b"<14>2 - h a p m -",
        b"<14>1 2003-13-11T22:14:15Z h a p m -",
        b"<14>1 2003-10-11T22:14:15.1234567Z h a p m -",
        b"<14>1 -  a p m -",
        b"<14>1 - h\xc3\xa9 a p m -",
        b"<14>1 - h " + b"a" * 49 + b" p m -",
        b"<14>1 - h a p " + b"m" * 33 + b" -",
        HEADER,
        HEADER + b"[]",
        HEADER + b"[a]",
        HEADER + b'[a@1 b="]"]',
        HEADER + b'[a@1 b="\\n"]',
        HEADER + b'[a@1 b="x]',
        HEADER + b"[a@1 b=x]",
        HEADER + b'[a@1  b="x"]',
        HEADER + b'[a@1 b="x"][a@1 b="x"]',
        HEADER + b'[a@1 b="\xff"]',
        HEADER + b"[" + b"a" * 31 + b'@1 b="x"]',
        HEADER + b"-text",
        HEADER + b"- \xef\xbb\xbf\xff",
    ],
)
def test_what_breaks_the_grammar_is_refused(wrong):
    with pytest.raises(NotRfc5424Error):
        parse(wrong)


def test_a_stream_is_split_by_lengths_and_what_is_not_whole_waits():
    assert split(b"3 abc2 de4 fg") == ([b"abc", b"de"], b"4 fg")
    assert split(b"12") == ([], b"12")
    for wrong in (b"03 abc", b"abc", b"3abc", b" 3 abc", b"12345678901 a"):
        with pytest.raises(NotRfc5424Error):
            split(wrong)
