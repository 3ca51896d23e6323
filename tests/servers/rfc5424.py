"""A strict reader of RFC 5424 messages in RFC 5425 frames, written from the ABNF alone.

It refuses whatever the grammar does not allow, so that an encoder under test cannot hide behind a lenient
server.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

_FRAME = re.compile(rb"([1-9][0-9]{0,9}) ")
_LONGEST_LENGTH = 10
_HEADER = re.compile(
    rb"<(?P<prival>0|[1-9][0-9]{0,2})>1 "
    rb"(?P<time>-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}"
    rb"(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})) "
    rb"(?P<hostname>[!-~]{1,255}) (?P<app_name>[!-~]{1,48}) (?P<procid>[!-~]{1,128}) (?P<msgid>[!-~]{1,32}) "
)
_NAME = re.compile(rb"[!#-<>-\\^-~]{1,32}")
_OWN_ID = re.compile(rb"[^@]+@[0-9]+(\.[0-9]+)*")
_REGISTERED = (b"timeQuality", b"origin", b"meta")
_BOM = b"\xef\xbb\xbf"
_HIGHEST_PRIVAL = 191

Params = list[tuple[str, str]]


class NotRfc5424Error(ValueError):
    """The bytes are no message, or no frame; says why and where."""


@dataclass(frozen=True)
class Message:
    """One message, read.

    Attributes:
        facility: 0 to 23.
        severity: 0 to 7.
        time: None: unknown.
        data: Elements of structured data in order, their params with values unescaped.
        text: MSG; None: there is none.
        bom: Whether a byte order mark stands before it.
        raw: The whole.
    """

    facility: int
    severity: int
    time: datetime | None
    hostname: str
    app_name: str
    procid: str
    msgid: str
    data: dict[str, Params] = field(default_factory=dict)
    text: str | None = None
    bom: bool = False
    raw: bytes = b""

    def element(self, name: str) -> dict[str, str]:
        """The params of the element whose name begins so, the last of each name."""
        return next((dict(params) for each, params in self.data.items() if each.startswith(f"{name}@")), {})


def split(stream: bytes) -> tuple[list[bytes], bytes]:
    """Answers the whole messages at the beginning of a stream, and what is left.

    Raises:
        NotRfc5424Error: A frame does not begin with a length and a space.
    """
    messages, place = [], 0
    while place < len(stream):
        found = _FRAME.match(stream, place)
        if found is None:
            rest = stream[place : place + _LONGEST_LENGTH + 1]
            if not re.fullmatch(rb"[1-9][0-9]{0,9}", rest):
                raise NotRfc5424Error(f"no length at byte {place}: {rest!r}")
            break
        end = found.end() + int(found[1])
        if end > len(stream):
            break
        messages.append(stream[found.end() : end])
        place = end
    return messages, stream[place:]


def parse(message: bytes) -> Message:
    """Reads one message.

    Raises:
        NotRfc5424Error: It breaks the grammar.
    """
    header = _HEADER.match(message)
    if header is None:
        raise NotRfc5424Error(f"no header: {message[:80]!r}")
    prival = int(header["prival"])
    if prival > _HIGHEST_PRIVAL:
        raise NotRfc5424Error(f"PRIVAL {prival}")
    data, place = _structured_data(message, header.end())
    text, bom = _text(message, place)
    named = {key: header[key].decode() for key in ("hostname", "app_name", "procid", "msgid")}
    return Message(
        prival // 8, prival % 8, _time(header["time"]), **named, data=data, text=text, bom=bom, raw=message
    )


def _time(said: bytes) -> datetime | None:
    try:
        return None if said == b"-" else datetime.fromisoformat(said.decode())
    except ValueError as error:
        raise NotRfc5424Error(f"no time: {said!r}") from error


def _structured_data(message: bytes, place: int) -> tuple[dict[str, Params], int]:
    if message[place : place + 1] == b"-":
        return {}, place + 1
    data: dict[str, Params] = {}
    while message[place : place + 1] == b"[":
        name, place = _name(message, place + 1)
        if name not in _REGISTERED and not _OWN_ID.fullmatch(name):
            raise NotRfc5424Error(f"{name!r} is neither registered nor has an enterprise number")
        if name.decode() in data:
            raise NotRfc5424Error(f"{name!r} occurs twice")
        params: Params = []
        while message[place : place + 1] == b" ":
            key, place = _name(message, place + 1)
            if message[place : place + 2] != b'="':
                raise NotRfc5424Error(f"no value of {key!r} at byte {place}")
            value, place = _value(message, place + 2)
            params.append((key.decode(), value))
        if message[place : place + 1] != b"]":
            raise NotRfc5424Error(f"{name!r} does not end at byte {place}: {message[place : place + 9]!r}")
        data[name.decode()] = params
        place += 1
    if not data:
        raise NotRfc5424Error(f"no structured data at byte {place}: {message[place : place + 9]!r}")
    return data, place


def _name(message: bytes, place: int) -> tuple[bytes, int]:
    found = _NAME.match(message, place)
    if found is None:
        raise NotRfc5424Error(f"no name at byte {place}: {message[place : place + 40]!r}")
    return found[0], found.end()


def _value(message: bytes, place: int) -> tuple[str, int]:
    value = bytearray()
    while (byte := message[place : place + 1]) != b'"':
        if byte in (b"", b"]"):
            raise NotRfc5424Error(f"a value is not escaped, or has no end, at byte {place}")
        if byte == b"\\":
            place += 1
            byte = message[place : place + 1]
            if byte not in (b'"', b"\\", b"]"):
                raise NotRfc5424Error(f"a backslash that escapes nothing at byte {place - 1}")
        value += byte
        place += 1
    return _utf8(bytes(value)), place + 1


def _text(message: bytes, place: int) -> tuple[str | None, bool]:
    if place == len(message):
        return None, False
    if message[place : place + 1] != b" ":
        raise NotRfc5424Error(f"no space before the text, at byte {place}: {message[place : place + 9]!r}")
    said = message[place + 1 :]
    return _utf8(said.removeprefix(_BOM)), said.startswith(_BOM)


def _utf8(said: bytes) -> str:
    try:
        return said.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotRfc5424Error(f"no UTF-8: {said[:40]!r}") from error
