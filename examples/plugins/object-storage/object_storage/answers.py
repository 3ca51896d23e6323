"""What an error of boto3 means for the records: a pure function. Threads: delivery loop.

| what | then |
|---|---|
| 412 without `overwrite` | the object is there already: delivered |
| 408, 409, 429, 5xx, no answer | the same object again, after the pause that the storage asks for |
| credentials refused or missing, no such bucket, wrong region | again, after `refused_pause_millis` |
| anything else | the records are rejected |
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, ParamValidationError
from botocore.exceptions import ConnectionError as NotConnectedError
from fapilog import ExportOutcome
from fapilog.exporters.http import retry_after_millis, shown

_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS)
_LATER_CODES = frozenset(
    {"RequestTimeout", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
)
# An administrator mends these: records wait.
_REFUSED = (301, 307, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_REFUSED_CODES = frozenset(
    {
        "ExpiredToken",
        "InvalidToken",
        "InvalidAccessKeyId",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    }
)


def outcome_of(
    error: Exception, records: int, refused_pause_millis: int, *, overwrite: bool = False
) -> ExportOutcome:
    """Return what becomes of the records whose object could not be stored.

    Args:
        error: What boto3 raised.
        records: How many the object holds.
        refused_pause_millis: Of the settings.
        overwrite: Of the settings.

    Raises:
        Exception: The error itself, if it is none of boto3's.

    Example:
        >>> busy = {"Error": {"Code": "SlowDown"}, "ResponseMetadata": {"HTTPStatusCode": 503}}
        >>> outcome_of(ClientError(busy, "PutObject"), 3, 60_000).retry
        True
    """
    if isinstance(error, ClientError):
        if not overwrite and _status(error) == HTTPStatus.PRECONDITION_FAILED:
            return ExportOutcome(delivered=records)
        return _answered(error, records, refused_pause_millis)
    if not isinstance(error, BotoCoreError):
        raise error
    kind, cause = type(error).__name__, shown(str(error))
    if isinstance(error, (HTTPClientError, NotConnectedError)):
        return ExportOutcome(retry=True, cause=cause, error_type=kind)
    if isinstance(error, ParamValidationError):
        return ExportOutcome(rejected=records, cause=cause, error_type=kind)
    # Credentials that are missing or incomplete, a region that is not set, a profile that is not there.
    return ExportOutcome(retry=True, retry_after_millis=refused_pause_millis, cause=cause, error_type=kind)


def _answered(error: ClientError, records: int, refused_pause_millis: int) -> ExportOutcome:
    response: dict[str, Any] = error.response
    metadata = response.get("ResponseMetadata", {})
    status, code = _status(error), str(response.get("Error", {}).get("Code", ""))
    cause, word = shown(str(error)), code or str(status)
    if status in _LATER or status >= 500 or code in _LATER_CODES:
        after = retry_after_millis(list(metadata.get("HTTPHeaders", {}).items()), time.time())
        return ExportOutcome(retry=True, retry_after_millis=after, cause=cause, error_type=word)
    if status in _REFUSED or code in _REFUSED_CODES:
        return ExportOutcome(
            retry=True, retry_after_millis=refused_pause_millis, cause=cause, error_type=word
        )
    return ExportOutcome(rejected=records, cause=cause, error_type=word)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
