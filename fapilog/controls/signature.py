"""Who vouches for a report: an Ed25519 signature over its canonical JSON.

Canonical: keys sorted, no blanks between tokens, UTF-8. So anybody can check it with a few lines and any
library that knows Ed25519.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fapilog import _native
from fapilog.errors import ConfigurationError, Problem

ALGORITHM = "ed25519"
# The head of a public key of Ed25519 as X.509 writes it (RFC 8410, 4).
_PUBLIC_HEAD = bytes.fromhex("302a300506032b6570032100")
_PUBLIC_BYTES = 32


def new_key(path: Path) -> Path:
    """Write a new private key for its owner alone, and its public key beside it.

    Returns:
        Where the public key is: the name of the private one with `.pub` behind it.

    Raises:
        OSError: A file of one of these names is there already, or cannot be written.
    """
    private = _native.ed25519_new_key()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(_pem("PRIVATE KEY", private))
    public = path.with_name(f"{path.name}.pub")
    with public.open("x", encoding="ascii") as file:
        file.write(_pem("PUBLIC KEY", _PUBLIC_HEAD + _native.ed25519_public_key(private)))
    return public


def canonical(report: Mapping[str, Any]) -> bytes:
    """Return the bytes of a report that are signed.

    Example:
        >>> canonical({"b": 1, "a": "x"})
        b'{"a":"x","b":1}'
    """
    return json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def signed(report: Mapping[str, Any], key: Path) -> dict[str, Any]:
    """Return a report with its signature.

    Args:
        report: What `Report.plain` returns.
        key: PEM file of a private key: of `new_key`, or of `openssl genpkey -algorithm ed25519`.

    Raises:
        ConfigurationError: The file cannot be read, or is no such key.
    """
    private = _read(key, "PRIVATE KEY")
    try:
        public, value = _native.ed25519_public_key(private), _native.ed25519_sign(private, canonical(report))
    except ValueError as error:
        raise _wrong(key, "it is no private key of Ed25519") from error
    return {
        "report": dict(report),
        "signature": {
            "algorithm": ALGORITHM,
            "key_id": key_id(public),
            "public_key": base64.b64encode(public).decode("ascii"),
            "value": base64.b64encode(value).decode("ascii"),
        },
    }


def unsigned(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report in the form of `signed`, without a signature."""
    return {"report": dict(report), "signature": None}


def key_id(public: bytes) -> str:
    """Return what a public key is called: the first 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(public).hexdigest()[:16]


def problem_with(document: Mapping[str, Any], public_key: Path) -> str | None:
    """Say what is wrong with the signature of a report; None: it is signed with this key and unchanged.

    Raises:
        ConfigurationError: The file of the public key cannot be read, or is none.
    """
    public = _read(public_key, "PUBLIC KEY").removeprefix(_PUBLIC_HEAD)
    if len(public) != _PUBLIC_BYTES:
        raise _wrong(public_key, "it is no public key of Ed25519")
    signature, report = document.get("signature"), document.get("report")
    if not isinstance(report, Mapping):
        return "there is no report in it"
    if not isinstance(signature, Mapping):
        return "the report is not signed"
    if signature.get("algorithm") != ALGORITHM:
        return f"it is not signed with {ALGORITHM}"
    try:
        value = base64.b64decode(str(signature.get("value")), validate=True)
    except ValueError:
        return "the signature cannot be read"
    if _native.ed25519_is_signed(public, canonical(report), value):
        return None
    other = signature.get("key_id") != key_id(public)
    return "it is signed with another key" if other else "the report was changed after it was signed"


def _read(path: Path, kind: str) -> bytes:
    try:
        text = path.read_text(encoding="ascii")
        inside = text.partition(f"-----BEGIN {kind}-----")[2].partition(f"-----END {kind}-----")[0]
        content = base64.b64decode("".join(inside.split()), validate=True)
    except (OSError, ValueError) as error:
        raise _wrong(path, f"it cannot be read: {error}") from error
    if not content:
        raise _wrong(path, f"it holds no {kind}")
    return content


def _pem(kind: str, content: bytes) -> str:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(content).decode('ascii')}\n-----END {kind}-----\n"


def _wrong(path: Path, what: str) -> ConfigurationError:
    remedy = "name a PEM file that `fapilog controls new-key` made"
    return ConfigurationError(
        [Problem("setting-invalid", f"the key {path} cannot be used: {what}", (), remedy)]
    )
