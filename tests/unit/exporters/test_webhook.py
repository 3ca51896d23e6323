"""The webhook against a real server: forms, signature, ids, sizes, statuses, TLS."""

import asyncio
import json
import threading

import pytest

from fapilog.errors import ConfigurationError
from fapilog.exporters.auth import Auth
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.webhook import WebhookExporter, encode_body, verify
from fapilog.settings import WebhookSettings
from tests.servers.certificates import make_certificates
from tests.servers.http_receiver import HttpReceiver, Reply
from tests.unit.exporters.batches import batch_of, request_of

NOW = 1_700_000_000


@pytest.fixture
def receiver():
    with HttpReceiver() as running:
        yield running


def webhook_to(url, auth=None, **settings):
    return WebhookExporter(WebhookSettings(url=url, **settings), auth, clock=lambda: NOW + 0.5)


def export(webhook, *batches):
    async def run():
        return [await webhook.export_batch(batch) for batch in batches]

    return asyncio.run(run())


def bodies(post):
    return [
        record["body"]["stringValue"]
        for resource_logs in json.loads(post.body)["resourceLogs"]
        for scope_logs in resource_logs["scopeLogs"]
        for record in scope_logs["logRecords"]
    ]


def test_a_batch_is_posted_as_an_otlp_document(receiver):
    assert export(webhook_to(receiver.url), batch_of("a", "b")) == [ExportOutcome(delivered=2)]
    [post] = receiver.posts
    assert (post.path, post.headers["content-type"], bodies(post)) == (
        "/hook",
        "application/json",
        ["a", "b"],
    )
    assert post.headers["user-agent"].startswith("fapilog/")
    assert "x-fapilog-signature" not in post.headers


def test_a_batch_is_posted_as_flat_records(receiver):
    export(webhook_to(receiver.url, form="json"), batch_of("a", "b"))
    [post] = receiver.posts
    assert json.loads(post.body) == [
        {
            "severity_text": "INFO",
            "severity_number": 9,
            "scope": scope,
            "body": body,
            "attributes": {},
            "resource": {},
        }
        for scope, body in (("a", "a"), ("b", "b"))
    ]


def test_flat_records_carry_their_resource():
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    message = ExportLogsServiceRequest.FromString(request_of("a", "b"))
    attributes = message.resource_logs[0].resource.attributes
    attributes.add(key="service.name").value.string_value = "ör\u2028ders"
    attributes.add(key="bytes").value.bytes_value = b"\xff"
    attributes.add(key="ratio").value.double_value = float("inf")
    attributes.add(key="list").value.array_value.values.add(int_value=1)
    message.resource_logs.add().scope_logs.add().log_records.add(severity_number=1)
    records = json.loads(encode_body(message.SerializeToString(), "json"))
    resource = {"service.name": "ör\u2028ders", "bytes": "/w==", "ratio": "inf", "list": [1]}
    assert [record["resource"] for record in records] == [resource, resource, {}]


def test_the_body_is_signed_and_the_receiver_can_tell(receiver):
    export(webhook_to(receiver.url, secret="new", old_secret="old"), batch_of("a"))
    [post] = receiver.posts
    assert post.headers["x-fapilog-signature"].startswith(f"t={NOW},v1=")
    assert all(verify(post.headers, post.body, secret, now=NOW) for secret in ("new", "old"))
    assert not verify(post.headers, post.body + b" ", "new", now=NOW)


def test_the_id_of_a_batch_is_the_same_at_every_attempt_and_different_for_others(receiver):
    receiver.script(Reply(503))
    first, second = batch_of("a"), batch_of("b")
    export(webhook_to(receiver.url), first, first, second)
    ids = [post.headers["x-fapilog-batch"] for post in receiver.posts]
    assert (ids[0] == ids[1], ids[1] == ids[2], len(ids[0])) == (True, False, 32)


def test_headers_of_the_settings_are_sent_and_ours_win(receiver):
    export(webhook_to(receiver.url, headers={"X-Team": "a", "X-Fapilog-Batch": "forged"}), batch_of("a"))
    headers = receiver.posts[0].headers
    assert (headers["x-team"], headers["x-fapilog-batch"] == "forged") == ("a", False)


def test_what_is_too_large_is_split_and_a_record_that_is_alone_is_rejected(receiver):
    webhook = webhook_to(receiver.url, max_body_bytes=500)
    [outcome] = export(webhook, batch_of("a", "b", "x" * 600, "d", "e"))
    assert (outcome.delivered, outcome.rejected) == (4, 1)
    assert (
        outcome.cause.endswith("the exporter posts 500 at most") or "the exporter sends 500" in outcome.cause
    )
    assert [body for post in receiver.posts for body in bodies(post)] == ["a", "b", "d", "e"]
    ids = [post.headers["x-fapilog-batch"] for post in receiver.posts]
    assert len(set(ids)) == len(ids)


def test_a_receiver_that_finds_a_body_too_large_gets_halves(receiver):
    receiver.script(Reply(413))
    assert export(webhook_to(receiver.url), batch_of("a", "b")) == [ExportOutcome(delivered=2)]
    assert [bodies(post) for post in receiver.posts] == [["a", "b"], ["a"], ["b"]]


STATUSES = [
    *((status, "taken") for status in (200, 201, 202, 204, 299)),
    *((status, "later") for status in (408, 429, 500, 501, 502, 503, 504, 599)),
    *((status, "never") for status in (301, 304, 400, 401, 403, 404, 410, 422)),
]


@pytest.mark.parametrize(("status", "fate"), STATUSES)
def test_a_status_means_taken_later_or_never(receiver, status, fate):
    receiver.script(Reply(status))
    [outcome] = export(webhook_to(receiver.url), batch_of("a"))
    assert (outcome.delivered, outcome.retry, outcome.rejected) == {
        "taken": (1, False, 0),
        "later": (0, True, 0),
        "never": (0, False, 1),
    }[fate]


@pytest.mark.parametrize(
    ("value", "millis"),
    [
        ("3", 3_000),
        ("Tue, 14 Nov 2023 22:13:25 GMT", 4_500),
        ("Tue, 14 Nov 2000 22:13:25 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("9" * 40, 999_999_999_000),
    ],
)
def test_the_pause_that_a_receiver_asks_for_is_passed_on(receiver, value, millis):
    receiver.script(Reply(429, b"slow down", {"Retry-After": value}))
    assert export(webhook_to(receiver.url), batch_of("a")) == [
        ExportOutcome(
            retry=True,
            retry_after_millis=millis,
            cause="HTTP 429 Too Many Requests: slow down",
            error_type="429",
        )
    ]


def test_no_answer_is_retried(receiver):
    with HttpReceiver() as gone:
        url = gone.url
    receiver.script(Reply(cut=True))
    outcomes = [*export(webhook_to(url), batch_of("a")), *export(webhook_to(receiver.url), batch_of("a"))]
    assert [outcome.retry for outcome in outcomes] == [True, True]
    assert all("/hook" not in outcome.cause for outcome in outcomes), "the path may be a credential"


def test_an_answer_that_takes_too_long_is_retried(receiver):
    release = threading.Event()
    receiver.script(Reply(hold=release))
    [outcome] = export(webhook_to(receiver.url, timeout_millis=100), batch_of("a"))
    release.set()
    assert outcome.retry


def test_tls_with_an_authority_of_its_own(tmp_path):
    certificates = make_certificates(tmp_path)
    with HttpReceiver(certificates=certificates) as receiver:
        webhook = webhook_to(receiver.url, certificate=certificates.ca)
        assert export(webhook, batch_of("a")) == [ExportOutcome(delivered=1)]
        assert export(webhook_to(receiver.url), batch_of("a"))[0].retry


def test_a_certificate_that_cannot_be_used_is_a_configuration_error(tmp_path):
    path = tmp_path / "not.pem"
    path.write_text("nothing")
    with pytest.raises(ConfigurationError) as caught:
        webhook_to("https://localhost/", certificate=path)
    assert caught.value.code == "setting-invalid"


def test_a_webhook_without_a_url_is_a_configuration_error():
    with pytest.raises(ConfigurationError) as caught:
        WebhookExporter(WebhookSettings())
    assert caught.value.code == "webhook-url-missing"


def test_credentials_of_a_function_are_sent_and_renewed(receiver):
    tokens = iter(["first", "second"])
    receiver.script(Reply(), Reply(401), Reply())
    webhook = webhook_to(receiver.url, Auth(lambda: {"Authorization": next(tokens)}))
    one, two = batch_of("1"), batch_of("2")
    outcomes = export(webhook, one, two, two)
    assert [outcome.retry for outcome in outcomes] == [False, True, False]
    assert [post.headers["authorization"] for post in receiver.posts] == ["first", "first", "second"]


def test_records_wait_while_there_are_no_credentials(receiver):
    webhook = webhook_to(receiver.url, Auth(lambda: {}["token"]))
    assert export(webhook, batch_of("a")) == [
        ExportOutcome(retry=True, cause="the auth function raised KeyError: 'token'")
    ]
    assert receiver.posts == []
