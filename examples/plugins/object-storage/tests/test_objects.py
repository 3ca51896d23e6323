"""Names and contents of objects, of any batch; and what each answer means."""

import gzip

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
)
from fapilog import ExportOutcome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from object_storage import ObjectStorageSettings
from object_storage.answers import outcome_of
from object_storage.objects import first_unix_nanos, make_object

NAMES = ObjectStorageSettings(bucket="b", folder="eu/shop", partition="%Y/%m")
LIKE_A_MEMBER = (
    '{"timeUnixNano":"1"},"observedTimeUnixNano":"2",{"@timestamp":"2000-01-01T00:00:00.000000000Z"'
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    body=st.one_of(st.text(max_size=40), st.just(LIKE_A_MEMBER), st.just("\\" + LIKE_A_MEMBER)),
    nanos=st.integers(1, 2**63 - 1),
    form=st.sampled_from(["otlp_json", "flat"]),
)
def test_the_time_in_a_name_is_that_of_the_first_record_whatever_it_says(make_batch, body, nanos, form):
    content = make_batch(body.encode("utf-8", "replace").decode(), nanos).encode(form)
    assert first_unix_nanos(content) == nanos


def test_the_content_of_a_record_is_never_taken_for_a_time():
    assert first_unix_nanos(b'{"resourceLogs":[]}') == 0
    assert first_unix_nanos(rb'{"stringValue":"{\"timeUnixNano\":\"5\""}') == 0


def test_a_name_tells_time_and_content_and_the_same_content_has_the_same_bytes(make_batch):
    made = make_object(make_batch(), NAMES)
    assert made == make_object(make_batch(), NAMES)
    assert made.key.startswith("eu/shop/2026/11/logs_1795219200123456789_")
    assert made.key.endswith(".json.gz")
    assert gzip.decompress(made.body) == make_batch().encode("otlp_json")
    assert make_object(make_batch("other"), NAMES).key != made.key


def client_error(status, code, **headers):
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    return ClientError({"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": metadata}, "PutObject")


LATER, REFUSED = (0, 0, True, None), (0, 0, True, 60_000)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (client_error(412, "PreconditionFailed"), (3, 0, False, None)),
        (client_error(503, "SlowDown"), LATER),
        (client_error(503, "SlowDown", **{"retry-after": "2"}), (0, 0, True, 2_000)),
        (client_error(500, "InternalError"), LATER),
        (client_error(409, "ConditionalRequestConflict"), LATER),
        (client_error(400, "RequestTimeout"), LATER),
        (client_error(403, "AccessDenied"), REFUSED),
        (client_error(403, "SignatureDoesNotMatch"), REFUSED),
        (client_error(400, "ExpiredToken"), REFUSED),
        (client_error(404, "NoSuchBucket"), REFUSED),
        (client_error(301, "PermanentRedirect"), REFUSED),
        (client_error(400, "EntityTooLarge"), (0, 3, False, None)),
        (client_error(400, "InvalidRequest"), (0, 3, False, None)),
        (EndpointConnectionError(endpoint_url="http://s3.example"), LATER),
        (ConnectTimeoutError(endpoint_url="http://s3.example"), LATER),
        (NoCredentialsError(), REFUSED),
        (ParamValidationError(report="no"), (0, 3, False, None)),
    ],
    ids=lambda value: getattr(value, "response", {}).get("Error", {}).get("Code") or type(value).__name__,
)
def test_what_an_answer_means_for_the_records(error, expected):
    outcome = outcome_of(error, 3, 60_000)
    assert (outcome.delivered, outcome.rejected, outcome.retry, outcome.retry_after_millis) == expected
    assert outcome == ExportOutcome(delivered=3) or (outcome.cause and outcome.error_type)


def test_an_error_of_our_own_is_not_taken_for_an_answer():
    with pytest.raises(KeyError):
        outcome_of(KeyError("x"), 3, 60_000)


def test_a_refused_condition_that_was_not_asked_for_is_no_delivery():
    failed = {"Error": {"Code": "PreconditionFailed"}, "ResponseMetadata": {"HTTPStatusCode": 412}}
    error = ClientError(failed, "PutObject")
    assert outcome_of(error, 3, 1, overwrite=False).delivered == 3
    assert outcome_of(error, 3, 1, overwrite=True).rejected == 3
