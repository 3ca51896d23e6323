"""How Elasticsearch and OpenSearch answer bulk requests: whole, item by item, filtered. Pure functions."""

import json
import re
from typing import Any

# A verdict of our own: 201, with the document in the failure store (Elasticsearch 8.19 and 9.1).
FAILURE_STORE = 2010
_FLOOD = (
    "index [.ds-logs-000001] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark,"
    " index has read-only-allow-delete block];"
)
FAILURES = {
    400: (
        "document_parsing_exception",
        "[1:23] failed to parse field [num] of type [long] in document with id 'x'."
        " Preview of field's value: 'secret of a user'",
    ),
    403: ("cluster_block_exception", "index [.ds-logs-000001] blocked by: [FORBIDDEN/8/index write (api)];"),
    404: ("index_not_found_exception", "no such index [x] and [action.auto_create_index] doesn't match"),
    409: ("version_conflict_engine_exception", "[x]: version conflict, document already exists"),
    429: ("es_rejected_execution_exception", "rejected execution of coordinating operation"),
    430: ("cluster_block_exception", _FLOOD),
    500: ("null_pointer_exception", "oh"),
    502: ("node_disconnected_exception", "disconnected"),
    503: ("unavailable_shards_exception", "[.ds-logs-000001][0] primary shard is not active"),
    504: ("timeout_exception", "timed out"),
}
_OPTIONS = {"_index", "_id", "routing", "pipeline", "require_alias"}


class Refused(Exception):  # noqa: N818 - an answer, not a failure of the server
    """A request that is refused as a whole."""

    def __init__(self, status: int, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason = status, kind, reason

    def body(self) -> dict[str, Any]:
        """The answer."""
        if not self.kind:
            return {"error": self.reason, "status": self.status}
        return _error(self.status, self.kind, self.reason)


def whole(status: int) -> dict[str, Any]:
    """The answer to a request that failed as a whole."""
    kind, reason = FAILURES.get(status, ("exception", "failed"))
    return _error(status, kind, reason)


def lines(body: bytes, knows_require_data_stream: bool) -> list[tuple[dict[str, Any], Any]]:
    """The actions and documents of a body.

    Raises:
        Refused: The server would not read on.
    """
    if not body.endswith(b"\n"):
        reason = "The bulk request must be terminated by a newline [\\n]"
        raise Refused(400, "illegal_argument_exception", reason)
    found = []
    rest = body[:-1].split(b"\n")
    for number in range(0, len(rest) - 1, 2):
        action = json.loads(rest[number])
        ((_, target),) = action.items()
        allowed = _OPTIONS | ({"require_data_stream"} if knows_require_data_stream else set())
        for option in target:
            if option not in allowed:
                reason = f"Action/metadata line [{number + 1}] contains an unknown parameter [{option}]"
                raise Refused(400, "illegal_argument_exception", reason)
        try:
            document = json.loads(rest[number + 1])
        except ValueError:
            document = None
        found.append((action, document))
    if not found:
        reason = "Validation Failed: 1: no requests added;"
        raise Refused(400, "action_request_validation_exception", reason)
    return found


def refusal(operation: str, index: str, document: Any) -> tuple[int, dict[str, Any]] | None:
    """Why a document cannot be indexed, whatever the server is told."""
    if operation != "create":
        reason = "only write ops with an op_type of create are allowed in data streams"
        return 400, {"type": "illegal_argument_exception", "reason": reason}
    if index != index.lower():
        reason = f"Invalid index name [{index}], must be lowercase"
        return 400, {"type": "invalid_index_name_exception", "reason": reason}
    if not isinstance(document, dict) or "@timestamp" not in document:
        return 400, {
            "type": "mapper_parsing_exception",
            "reason": "failed to parse",
            "caused_by": {"type": "illegal_argument_exception", "reason": "a field is missing"},
        }
    return None


def answer(items: list[tuple[str, int, dict[str, Any]]]) -> dict[str, Any]:
    """The answer to a request whose documents have these operations, statuses and errors."""
    written = []
    for operation, status, error in items:
        entry: dict[str, Any] = {"_index": ".ds-logs-000001", "status": status}
        if status == FAILURE_STORE:
            entry |= {"status": 201, "failure_store": "used"}
        elif status == 430:
            entry["status"] = 429
        if error:
            entry["error"] = error
        else:
            entry |= {"_version": 1, "result": "created"}
        written.append({operation: entry})
    return {"took": 1, "errors": any(error for _, _, error in items), "items": written}


def filtered(value: Any, paths: list[str]) -> Any:
    """What `filter_path` leaves of an answer."""
    if not paths:
        return value
    found = _filtered(value, [path.split(".") for path in paths])
    return {} if found is None else found


def _filtered(value: Any, paths: list[list[str]]) -> Any:
    if any(not path for path in paths):
        return value
    if isinstance(value, list):
        kept = [_filtered(each, paths) for each in value]
        return [each for each in kept if each is not None] or None
    if not isinstance(value, dict):
        return None
    chosen = {}
    for name, inner in value.items():
        deeper = [path[1:] for path in paths if re.fullmatch(path[0].replace("*", ".*"), name)]
        if deeper and (left := _filtered(inner, deeper)) is not None:
            chosen[name] = left
    return chosen or None


def _error(status: int, kind: str, reason: str) -> dict[str, Any]:
    error = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [error], **error}, "status": status}
