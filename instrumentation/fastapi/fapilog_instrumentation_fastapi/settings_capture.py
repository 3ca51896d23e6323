"""Groups of `RequestLogging`: exceptions, bodies and headers, baggage, and what is watched.

Threads: the configuring one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from fapilog import Severity
from fapilog_instrumentation_fastapi.setting_types import Group, HeaderName, Seconds
from fapilog_instrumentation_fastapi.settings_sources import setting

When = Literal["never", "error", "always"]
_STATUSES = frozenset({*(str(status) for status in range(400, 600)), "4xx", "5xx"})


def _status(text: str) -> str:
    if text.lower() not in _STATUSES:
        raise ValueError("a status is 400 to 599, or 4xx or 5xx for all of them")
    return text.lower()


def _rule(text: str) -> str:
    status, _, severity = text.partition("=")
    status = _status(status.strip())
    name = (severity.strip() or ("error" if status[0] == "5" else "warn")).lower()
    if name.upper() not in Severity.__members__:
        raise ValueError("a rule is STATUS=SEVERITY, such as 5xx=error or 404=info")
    return f"{status}={name}"


def _media_type(text: str) -> str:
    first, slash, second = text.lower().partition("/")
    if not (first and slash and second and "/" not in second):
        raise ValueError("a content type is type/subtype, such as application/json, text/* or */*+json")
    return text.lower()


Status = Annotated[str, AfterValidator(_status)]
StatusRule = Annotated[str, AfterValidator(_rule)]
HeaderPattern = Annotated[HeaderName, AfterValidator(str.lower)]
MediaType = Annotated[str, AfterValidator(_media_type)]


class Exceptions(Group):
    """Records of unhandled exceptions, of requests that are not valid, and of `HTTPException`."""

    enabled: bool = setting(
        True,
        variable="EXCEPTIONS",
        source="semantic conventions: exceptions in logs",
        about="Whether an unhandled exception is a record, once: `http.server.request.exception` with its"
        " stack. FastAPI's own log events are off then, and what the server logs of it is no second record.",
    )
    validation: bool = setting(
        True,
        variable="VALIDATION_ERRORS",
        source="a 422 says nothing without them",
        about="Whether a request that is not valid is a WARN record with the locations and types of its"
        " errors.",
    )
    validation_values: bool = setting(
        False,
        variable="VALIDATION_VALUES",
        source="values are the caller's, and may be personal data",
        about="Whether that record has messages and values, too. What `Sensitive` or `SecretStr` marks in"
        " the models is hidden.",
    )
    http: tuple[StatusRule, ...] = setting(
        ("5xx=error",),
        variable="HTTP_EXCEPTIONS",
        source="semantic conventions: artificial exceptions are no exceptions; a 5xx is a failure",
        about="Which statuses of `HTTPException` have a record of their own, and its severity, such as"
        " `404=info`; the first rule that fits counts. Without stack.",
    )
    detail_chars: Annotated[int, Field(ge=0, le=8_192)] = setting(
        256,
        variable="HTTP_EXCEPTION_DETAIL_CHARS",
        source="enough for a sentence",
        about="Length at which a text in `detail` of an `HTTPException` is cut; 0: no detail.",
        unit="characters",
    )
    problem_response: bool = setting(
        False,
        variable="PROBLEM_RESPONSE",
        source="the response is the application's",
        about="Whether the response to an unhandled exception is an `application/problem+json` (RFC 9457)"
        " with the correlation id, where the application has no handler for `Exception` or 500.",
    )


class Capture(Group):
    """Headers and bodies on the access record; none of them unasked."""

    request_headers: tuple[HeaderPattern, ...] = setting(
        (),
        variable="CAPTURE_REQUEST_HEADERS",
        source="semantic conventions: opt-in",
        about="Headers of the request, as `http.request.header.<name>`; a `*` at the end stands for any"
        " rest. `authorization`, `cookie`, `proxy-authorization` and `set-cookie` only by their full name.",
    )
    response_headers: tuple[HeaderPattern, ...] = setting(
        (),
        variable="CAPTURE_RESPONSE_HEADERS",
        source="semantic conventions: opt-in",
        about="The same for the response, as `http.response.header.<name>`.",
    )
    request_body: When = setting(
        "never",
        variable="CAPTURE_REQUEST_BODY",
        source="bodies are the caller's data",
        about="Whether the body of the request is on the access record: `never`, `always`, or `error`: for"
        " responses of 400 and more and for exceptions.",
    )
    response_body: When = setting(
        "never",
        variable="CAPTURE_RESPONSE_BODY",
        source="bodies are the caller's data",
        about="The same for the body of the response.",
    )
    body_bytes: Annotated[int, Field(ge=1, le=32_768)] = setting(
        4_096,
        variable="CAPTURE_BODY_BYTES",
        source="a form or a small document; a record has 64 KiB by default",
        about="What is kept of a body, in memory too; the rest is counted only. JSON and forms that are"
        " cut keep their complete members.",
        unit="bytes",
    )
    body_types: tuple[MediaType, ...] = setting(
        ("application/json", "*/*+json", "application/x-www-form-urlencoded"),
        variable="CAPTURE_BODY_TYPES",
        source="these have keys, by which secrets are hidden in every mode",
        about="Content types of bodies that are kept; `text/*` and others are kept as text.",
    )


class Baggage(Group):
    """W3C Baggage of callers on every record of the request."""

    keys: tuple[HeaderName, ...] = setting(
        (),
        variable="BAGGAGE_KEYS",
        source="anybody may send baggage",
        about="Members that are bound as `baggage.<key>`, if printable and no longer than 256 characters.",
    )


class Watch(Group):
    """What is watched while requests run."""

    recorder_statuses: tuple[Status, ...] = setting(
        ("5xx",),
        variable="RECORDER_STATUSES",
        source="a failure of the server",
        about="Responses that let the flight recorder's records of the request leave; unhandled exceptions"
        " and slow requests do so, too.",
    )
    blocked_seconds: Seconds | None = setting(
        None,
        variable="BLOCKED_SECONDS",
        source="opt-in: a timer runs while there are requests",
        about="From this time on a blocked event loop is a WARN record with the requests under way, at most"
        " one in 10 seconds. asyncio only.",
        unit="seconds",
    )
