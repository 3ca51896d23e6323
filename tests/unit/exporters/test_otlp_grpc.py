"""OTLP over gRPC against a real server: what each status means, limits, TLS, credentials, loops."""

import asyncio
import os
import threading

import grpc
import pytest

from fapilog.errors import ConfigurationError
from fapilog.exporters.auth import Auth
from fapilog.exporters.base import ExportOutcome
from fapilog.exporters.otlp_grpc import RETRYABLE, OtlpGrpcExporter, make_channel
from fapilog.settings import OtlpSettings
from tests.servers.certificates import make_certificates
from tests.servers.grpc_receiver import GrpcReceiver, Reply
from tests.unit.exporters.batches import batch_of, request_of

CODE = grpc.StatusCode


@pytest.fixture
def receiver():
    with GrpcReceiver() as running:
        yield running


@pytest.fixture
def said(monkeypatch):
    lines = []

    def say(code, message, about=""):
        lines.append(message)

    monkeypatch.setattr("fapilog.exporters.otlp_grpc.say", say)
    return lines


def exporter_to(endpoint, auth=None, **settings):
    settings = {"protocol": "grpc", "endpoint": endpoint, "timeout_millis": 20_000} | settings
    return OtlpGrpcExporter(OtlpSettings(**settings), auth)


def export(exporter, *batches):
    """The outcome of each batch, on a loop of its own."""

    async def run():
        try:
            return [await exporter.export_batch(batch) for batch in batches]
        finally:
            await exporter.shutdown(1_000)

    return asyncio.run(run())


def test_a_batch_arrives_as_it_was_encoded(receiver):
    assert export(exporter_to(receiver.endpoint), batch_of("a", "b", "c")) == [ExportOutcome(delivered=3)]
    [call] = receiver.calls
    assert call.request == request_of("a", "b", "c")
    assert call.metadata[":path"] == "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def test_our_product_comes_first_in_the_user_agent(receiver):
    export(exporter_to(receiver.endpoint), batch_of("a"))
    words = receiver.calls[0].metadata["user-agent"].split()
    assert [word.partition("/")[0] for word in words[:3]] == [
        "fapilog",
        "OTel-OTLP-Exporter-Python",
        "Python",
    ]


def test_headers_become_metadata(receiver):
    headers = {"Authorization": "Bearer x", "trace-bin": "AB"}
    export(exporter_to(receiver.endpoint, headers=headers), batch_of("a"))
    metadata = receiver.calls[0].metadata
    assert (metadata["authorization"], metadata["trace-bin"]) == ("Bearer x", b"AB")


def test_a_header_that_the_server_repeats_is_not_shown(receiver):
    receiver.script(Reply(CODE.INVALID_ARGUMENT, details="what is s3cr3t-token in Bearer s3cr3t-token?"))
    [outcome] = export(
        exporter_to(receiver.endpoint, headers={"authorization": "Bearer s3cr3t-token"}), batch_of("a")
    )
    assert outcome.cause == "gRPC INVALID_ARGUMENT: what is *** in ***?"


def test_no_request_is_sent_for_an_empty_batch(receiver):
    assert export(exporter_to(receiver.endpoint), batch_of()) == [ExportOutcome()]
    assert receiver.calls == []


@pytest.mark.parametrize("code", [code for code in CODE if code is not CODE.OK], ids=lambda code: code.name)
def test_a_status_is_retried_or_not_as_otlp_says(receiver, code):
    receiver.script(Reply(code, "no luck"))
    [outcome] = export(exporter_to(receiver.endpoint), batch_of("a", "b"))
    cause = f"gRPC {code.name}: no luck"
    if code in RETRYABLE:
        assert outcome == ExportOutcome(retry=True, cause=cause, error_type=code.name)
    else:
        assert (outcome.retry, outcome.delivered, outcome.rejected) == (False, 0, 2)
        assert outcome.cause.startswith(cause)


def test_the_retryable_codes_are_those_of_otlp():
    names = "CANCELLED DEADLINE_EXCEEDED ABORTED OUT_OF_RANGE UNAVAILABLE DATA_LOSS"
    assert {code.name for code in RETRYABLE} == set(names.split())


@pytest.mark.parametrize(("seconds", "millis"), [(0.0, 0), (0.25, 250), (120.0, 120_000), (-3.0, 0)], ids=str)
@pytest.mark.parametrize("code", [CODE.UNAVAILABLE, CODE.RESOURCE_EXHAUSTED], ids=lambda code: code.name)
def test_the_pause_that_a_server_asks_for_is_passed_on(receiver, code, seconds, millis):
    receiver.script(Reply(code, "busy", retry_delay_seconds=seconds))
    assert export(exporter_to(receiver.endpoint), batch_of("a")) == [
        ExportOutcome(
            retry=True, retry_after_millis=millis, cause=f"gRPC {code.name}: busy", error_type=code.name
        )
    ]


def test_a_pause_does_not_make_a_final_status_retryable(receiver):
    receiver.script(Reply(CODE.INTERNAL, "broken", retry_delay_seconds=1.0))
    assert export(exporter_to(receiver.endpoint), batch_of("a")) == [
        ExportOutcome(rejected=1, cause="gRPC INTERNAL: broken", error_type="INTERNAL")
    ]


@pytest.mark.parametrize("details", [b"", b"\xff\xff\xff", b"\x1a\x05\x0a\x03abc"])
def test_damaged_status_details_are_no_pause(receiver, details):
    receiver.script(Reply(CODE.UNAVAILABLE, "busy", raw_details=details))
    [outcome] = export(exporter_to(receiver.endpoint), batch_of("a"))
    assert (outcome.retry, outcome.retry_after_millis) == (True, None)


@pytest.mark.parametrize("rejected", [1, 2, 99])
def test_records_that_a_receiver_left_out_are_rejected_and_not_sent_again(receiver, rejected):
    receiver.script(Reply(rejected=rejected, message="too old\n"))
    assert export(exporter_to(receiver.endpoint), batch_of("a", "b")) == [
        ExportOutcome(
            delivered=2 - min(rejected, 2),
            rejected=min(rejected, 2),
            cause=f"the receiver refused {rejected} records of a request: too old",
        )
    ]
    assert len(receiver.calls) == 1


def test_a_warning_of_the_receiver_is_said_and_all_records_are_delivered(receiver, said):
    receiver.script(Reply(message="use zstd"))
    assert export(exporter_to(receiver.endpoint), batch_of("a", "b")) == [ExportOutcome(delivered=2)]
    assert said == ["the receiver took all records of a request and says: use zstd"]


@pytest.mark.parametrize("body", [b"", b"\xff\xff"])
def test_a_response_that_says_nothing_is_success(receiver, said, body):
    receiver.script(Reply(body=body))
    assert export(exporter_to(receiver.endpoint), batch_of("a")) == [ExportOutcome(delivered=1)]
    assert said == []


def test_a_request_over_our_limit_is_split(receiver):
    bodies = [f"{number}{'x' * 100}" for number in range(7)]
    exporter = exporter_to(receiver.endpoint, max_request_bytes=400)
    assert export(exporter, batch_of(*bodies)) == [ExportOutcome(delivered=7)]
    assert [body for call in receiver.calls for body in call.bodies] == bodies
    assert max(len(call.request) for call in receiver.calls) <= 400


def test_a_record_over_our_limit_is_rejected_alone(receiver):
    exporter = exporter_to(receiver.endpoint, max_request_bytes=200)
    batch = batch_of("a", "x" * 300, "c")
    assert export(exporter, batch) == [
        ExportOutcome(
            delivered=2,
            rejected=1,
            cause="the request has 322 bytes, the exporter sends 200 at most",
            error_type="request_too_large",
        )
    ]
    assert [body for call in receiver.calls for body in call.bodies] == ["a", "c"]


def test_a_request_over_the_servers_limit_is_split():
    bodies = [f"{number}{'x' * 1_000}" for number in range(8)]
    with GrpcReceiver(max_message_bytes=4_200) as receiver:
        assert export(exporter_to(receiver.endpoint), batch_of(*bodies)) == [ExportOutcome(delivered=8)]
        assert [body for call in receiver.calls for body in call.bodies] == bodies


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (CODE.RESOURCE_EXHAUSTED, "grpc: received message larger than max (5000000 vs. 4194304)"),
        (CODE.RESOURCE_EXHAUSTED, "gRPC message exceeds maximum size 4194304: 5000000"),
        (CODE.RESOURCE_EXHAUSTED, "Received message exceeds the maximum configured message size."),
        (CODE.OUT_OF_RANGE, "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes"),
    ],
)
def test_the_words_of_servers_for_too_large_are_known(receiver, code, words):
    receiver.script(Reply(code, words))
    assert export(exporter_to(receiver.endpoint), batch_of("a", "b")) == [ExportOutcome(delivered=2)]
    assert [call.bodies for call in receiver.calls] == [["a", "b"], ["a"], ["b"]]


def test_a_part_that_was_delivered_is_not_sent_again(receiver):
    receiver.script(Reply(), Reply(CODE.UNAVAILABLE, "busy"), Reply(rejected=1, message="old"))
    exporter = exporter_to(receiver.endpoint, max_request_bytes=400)
    batch = batch_of(*(f"{number}{'x' * 120}" for number in range(4)))
    assert export(exporter, batch, batch) == [
        ExportOutcome(retry=True, cause="gRPC UNAVAILABLE: busy", error_type="UNAVAILABLE"),
        ExportOutcome(delivered=3, rejected=1, cause="the receiver refused 1 records of a request: old"),
    ]
    assert [[body[0] for body in call.bodies] for call in receiver.calls] == [
        ["0", "1"],
        ["2", "3"],
        ["2", "3"],
    ]


def test_a_call_that_takes_too_long_is_retried(receiver):
    release = threading.Event()
    receiver.script(Reply(before=lambda context: release.wait(20)))
    [outcome] = export(exporter_to(receiver.endpoint, timeout_millis=200), batch_of("a"))
    release.set()
    assert (outcome.retry, outcome.cause.partition(":")[0]) == (True, "gRPC DEADLINE_EXCEEDED")


def test_a_call_that_nobody_waits_for_is_broken_off(receiver):
    ended = threading.Event()

    def hold(context):
        context.add_callback(ended.set)
        ended.wait(20)

    receiver.script(Reply(before=hold))

    async def run():
        exporter = exporter_to(receiver.endpoint)
        task = asyncio.create_task(exporter.export_batch(batch := batch_of("a")))
        await asyncio.to_thread(receiver.wait_for_calls, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(ended.wait, 20)
        return await exporter.export_batch(batch)

    assert asyncio.run(run()) == ExportOutcome(delivered=1)


def test_an_address_where_nobody_listens_is_retried():
    with GrpcReceiver() as gone:
        endpoint = gone.endpoint
    [outcome] = export(exporter_to(endpoint), batch_of("a"))
    assert (outcome.retry, outcome.cause.partition(":")[0]) == (True, "gRPC UNAVAILABLE")


def test_a_receiver_that_comes_back_gets_what_waited():
    with GrpcReceiver() as first:
        port = first.port
        exporter = exporter_to(first.endpoint, retry={"initial_backoff_millis": 10})
        export_one = batch_of("a")
    outcomes = []

    async def run():
        outcomes.append(await exporter.export_batch(export_one))
        second = GrpcReceiver()
        second._server.add_insecure_port(f"127.0.0.1:{port}")
        with second:
            for _ in range(100):
                outcomes.append(await exporter.export_batch(export_one))
                if not outcomes[-1].retry:
                    return
                await asyncio.sleep(0.1)

    asyncio.run(run())
    assert outcomes[0].retry
    assert outcomes[-1] == ExportOutcome(delivered=1)


def test_exporters_on_several_loops_at_once_do_not_disturb_each_other(receiver):
    outcomes = {}

    def run(number):
        exporter = exporter_to(receiver.endpoint)
        outcomes[number] = export(exporter, *(batch_of(f"{number}-{count}") for count in range(20)))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert outcomes == {number: [ExportOutcome(delivered=1)] * 20 for number in range(4)}
    assert sorted(body for call in receiver.calls for body in call.bodies) == sorted(
        f"{number}-{count}" for number in range(4) for count in range(20)
    )


def test_several_calls_of_one_exporter_are_under_way_at_once(receiver):
    together = threading.Barrier(3)
    receiver.script(*(Reply(before=lambda context: together.wait(20)) for _ in range(3)))

    async def run():
        exporter = exporter_to(receiver.endpoint)
        return await asyncio.gather(*(exporter.export_batch(batch_of(body)) for body in "abc"))

    assert asyncio.run(run()) == [ExportOutcome(delivered=1)] * 3
    assert len(receiver.peers) == 1, "one connection for all"


# Endpoint, insecure, and whether the exporter speaks TLS.
ADDRESSES = [
    ("http://127.0.0.1:{port}", False, False),
    ("http://127.0.0.1:{port}/v1/logs", False, False),
    ("127.0.0.1:{port}", True, False),
    ("127.0.0.1:{port}", False, True),
    ("https://127.0.0.1:{port}", True, True),
    ("https://localhost:{port}", False, True),
]


@pytest.mark.parametrize(("address", "insecure", "tls"), ADDRESSES)
def test_the_scheme_decides_about_tls_and_without_one_insecure_does(tmp_path, address, insecure, tls):
    certificates = make_certificates(tmp_path)
    with GrpcReceiver(certificates=certificates if tls else None) as receiver:
        exporter = exporter_to(
            address.format(port=receiver.port), insecure=insecure, certificate=certificates.ca
        )
        assert export(exporter, batch_of("a")) == [ExportOutcome(delivered=1)]


def test_mutual_tls(tmp_path):
    certificates = make_certificates(tmp_path)
    with GrpcReceiver(certificates=certificates, client_certificates_required=True) as receiver:
        ours = {"client_certificate": certificates.client_certificate, "client_key": certificates.client_key}
        exporter = exporter_to(receiver.endpoint, certificate=certificates.ca, **ours)
        assert export(exporter, batch_of("a")) == [ExportOutcome(delivered=1)]
        stranger = exporter_to(receiver.endpoint, certificate=certificates.ca)
        assert export(stranger, batch_of("a"))[0].retry


def test_a_server_that_nobody_vouches_for_gets_nothing(tmp_path):
    with GrpcReceiver(certificates=make_certificates(tmp_path / "other")) as receiver:
        exporter = exporter_to(receiver.endpoint, certificate=make_certificates(tmp_path).ca)
        [outcome] = export(exporter, batch_of("a"))
    assert (outcome.retry, receiver.calls) == (True, [])


def test_files_that_tls_cannot_use_are_a_configuration_error(tmp_path):
    (tmp_path / "not.pem").write_text("nothing")
    certificates = make_certificates(tmp_path)
    for settings in (
        {"certificate": tmp_path / "not.pem"},
        {"client_certificate": certificates.client_certificate, "client_key": certificates.server_key},
    ):
        with pytest.raises(ConfigurationError, match="cannot be used for TLS"):
            exporter_to("https://localhost:4317", **settings)


@pytest.mark.parametrize(
    ("endpoint", "target"),
    [
        ("http://h", "dns:///h:80"),
        ("https://h", "dns:///h:443"),
        ("h", "dns:///h:4317"),
        ("http://[::1]:1", "dns:///[::1]:1"),
        ("https://[::1]", "dns:///[::1]:443"),
    ],
)
def test_a_missing_port_is_the_one_of_the_scheme(monkeypatch, endpoint, target):
    seen = []
    monkeypatch.setattr(grpc, "insecure_channel", lambda target, **_: seen.append(target))
    monkeypatch.setattr(grpc, "secure_channel", lambda target, *_, **__: seen.append(target))
    make_channel(OtlpSettings(protocol="grpc", endpoint=endpoint))
    assert seen == [target]


def test_new_credentials_are_asked_for_when_accepted_ones_are_refused(receiver):
    tokens = iter(["first", "second"])
    receiver.script(Reply(), Reply(CODE.UNAUTHENTICATED, "expired"), Reply())
    exporter = exporter_to(receiver.endpoint, Auth(lambda: {"Authorization": next(tokens)}))
    one, two = batch_of("1"), batch_of("2")
    assert export(exporter, one, two, two) == [
        ExportOutcome(delivered=1),
        ExportOutcome(
            retry=True,
            cause="gRPC UNAUTHENTICATED: expired (check the credentials in the exporter's headers);"
            " asking for new ones",
            error_type="UNAUTHENTICATED",
        ),
        ExportOutcome(delivered=1),
    ]
    assert [call.metadata["authorization"] for call in receiver.calls] == ["first", "first", "second"]


def test_new_credentials_that_are_refused_at_once_reject_the_records(receiver):
    receiver.script(Reply(CODE.PERMISSION_DENIED, "no"))
    [outcome] = export(exporter_to(receiver.endpoint, Auth(lambda: {"authorization": "x"})), batch_of("a"))
    assert (outcome.retry, outcome.rejected) == (False, 1)


def test_records_wait_while_there_are_no_credentials(receiver):
    exporter = exporter_to(receiver.endpoint, Auth(lambda: {}["token"]))
    assert export(exporter, batch_of("a")) == [
        ExportOutcome(retry=True, cause="the auth function raised KeyError: 'token'")
    ]
    assert receiver.calls == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_a_channel_of_its_own_and_leaves_the_parents_alone(receiver):
    exporter = exporter_to(receiver.endpoint)
    assert asyncio.run(exporter.export_batch(batch_of("parent"))) == ExportOutcome(delivered=1)
    pid = os.fork()
    if pid == 0:
        outcome = asyncio.run(exporter.export_batch(batch_of("child")))
        os._exit(0 if outcome == ExportOutcome(delivered=1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert asyncio.run(exporter.export_batch(batch_of("parent again"))) == ExportOutcome(delivered=1)
    assert [call.bodies for call in receiver.calls] == [["parent"], ["child"], ["parent again"]]
    assert len(receiver.peers) == 2
