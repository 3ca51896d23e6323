"""The decoding of request bodies, for any value and any bytes."""

import gzip
import sys
import zlib
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from fapilog.testing.decoding import (
    BodyTooLargeError,
    UnsupportedEncodingError,
    decode_value,
    decompress,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)
ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
PACKERS = {
    "identity": bytes,
    "": bytes,
    "gzip": gzip.compress,
    " GZIP ": gzip.compress,
    "deflate": zlib.compress,
}


def encoded(value: Any) -> AnyValue:
    result = AnyValue()
    match value:
        case None:
            pass
        case bool():
            result.bool_value = value
        case int():
            result.int_value = value
        case float():
            result.double_value = value
        case str():
            result.string_value = value
        case bytes():
            result.bytes_value = value
        case list():
            result.array_value.SetInParent()
            result.array_value.values.extend(encoded(item) for item in value)
        case dict():
            result.kvlist_value.SetInParent()
            for key, item in value.items():
                result.kvlist_value.values.add(key=key).value.CopyFrom(encoded(item))
    return result


@given(values)
def test_any_value_comes_back_as_the_same_python_value(value: Any) -> None:
    decoded = decode_value(AnyValue.FromString(encoded(value).SerializeToString()))
    assert (decoded, type(decoded)) == (value, type(value))


@given(st.binary(max_size=200), st.sampled_from(sorted(PACKERS)))
def test_any_body_unpacks_to_what_was_packed(body: bytes, encoding: str) -> None:
    assert decompress(PACKERS[encoding](body), encoding) == body


@given(st.binary(min_size=1, max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_bytes_that_are_not_what_the_encoding_says_are_a_value_error(body: bytes, encoding: str) -> None:
    if encoding == "gzip":
        assume(not body.startswith(b"\x1f\x8b"))
    else:
        # A zlib header is a multiple of 31.
        assume(len(body) < 2 or int.from_bytes(body[:2]) % 31)
    with pytest.raises(ValueError, match=f"the body is not valid {encoding}"):
        decompress(body, encoding)


@given(st.binary(min_size=1, max_size=100), st.sampled_from(["gzip", "deflate", "identity"]))
def test_the_limit_is_exact(body: bytes, encoding: str) -> None:
    packed = PACKERS[encoding](body)
    assert decompress(packed, encoding, max_bytes=len(body)) == body
    with pytest.raises(BodyTooLargeError):
        decompress(packed, encoding, max_bytes=len(body) - 1)


def test_zstd_of_several_frames_is_one_body() -> None:
    zstd = pytest.importorskip(ZSTD, reason=f"{ZSTD} is not installed")
    packed = zstd.compress(b"abc") + zstd.compress(b"def")
    assert decompress(packed, "zstd") == b"abcdef"
    assert decompress(packed, "zstd", max_bytes=6) == b"abcdef"
    with pytest.raises(BodyTooLargeError):
        decompress(packed, "zstd", max_bytes=5)
    for broken in (b"no zstd", packed[:-2], packed + b"more"):
        with pytest.raises(ValueError, match="the body is not valid zstd"):
            decompress(broken, "zstd")


def test_zstd_without_a_module_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UnsupportedEncodingError, match=r"needs Python 3\.14 or the backports\.zstd package"):
        decompress(b"", "zstd")
