"""The HTTP client that exporters in Python share, against real servers on loopback."""

import contextlib
import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fapilog import _native
from fapilog.testing import OtlpReceiver, Status
from fapilog.testing.samples import sample_batch
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.proxy import ConnectProxy

Respond = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server that keeps what it got and answers as a test says."""

    def __init__(self, respond: Respond) -> None:
        self.requests: list[tuple[str, list[tuple[str, str]], bytes]] = []
        self.connections = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                outer.connections += 1

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = [(name.lower(), value) for name, value in self.headers.items()]
                outer.requests.append((self.path, sorted(headers), body))
                respond(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.block_on_close = False
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextlib.contextmanager
def serving(respond: Respond) -> Iterator[Server]:
    server = Server(respond)
    thread = threading.Thread(target=server.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()


def answer(status: int, body: bytes = b"", *headers: tuple[str, str]) -> Respond:
    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return respond


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def test_a_request_is_sent_as_it_was_given_and_the_answer_comes_back_whole():
    with serving(answer(202, b"taken", ("X-Id", "7"), ("Set-Cookie", "a"), ("Set-Cookie", "b"))) as server:
        client = _native.HttpClient(user_agent="shop/1")
        headers = [("Content-Type", "application/json"), ("X-Tag", "a"), ("X-Tag", "b")]
        status, answered, body = client.post(f"{server.url}/hook?k=v", headers, b"\x00{}")
    assert (status, body) == (202, b"taken")
    assert answered == [("x-id", "7"), ("set-cookie", "a"), ("set-cookie", "b"), ("content-length", "5")]
    expected = [
        ("content-length", "3"),
        ("content-type", "application/json"),
        ("host", server.url.removeprefix("http://")),
        ("user-agent", "shop/1"),
        ("x-tag", "a"),
        ("x-tag", "b"),
    ]
    [(path, sent, received)] = server.requests
    assert (path, [pair for pair in sent if pair[0] != "accept"], received) == (
        "/hook?k=v",
        expected,
        b"\x00{}",
    )


def test_a_body_is_compressed_on_request_and_a_part_of_documents_is_one():
    documents = sample_batch(40).documents("hec")
    with serving(answer(200)) as server:
        client = _native.HttpClient()
        client.post(server.url, [("X-Tag", "a")], documents.part(3, 40), gzip=True)
        client.post(server.url, [], documents.part(0, 3))
        client.post(server.url, [], b"", gzip=True)
        with pytest.raises(TypeError):
            client.post(server.url, [], "text")  # type: ignore[arg-type]
    [(_, headers, packed), (_, plain_headers, plain), (_, _, nothing)] = server.requests
    whole, cut = documents.bytes, documents.offsets[3]
    assert (gzip.decompress(packed), plain, gzip.decompress(nothing)) == (whole[cut:], whole[:cut], b"")
    assert len(packed) < len(whole) / 3
    assert dict(headers) | {"content-encoding": "gzip", "x-tag": "a"} == dict(headers)
    assert "content-encoding" not in dict(plain_headers)


@pytest.mark.parametrize("status", [302, 400, 429, 503])
def test_every_status_is_an_answer_and_redirects_are_not_followed(status: int):
    with serving(answer(status, b"", ("Location", "http://127.0.0.1:1/"), ("Retry-After", "3"))) as server:
        got, headers, body = _native.HttpClient().post(server.url, [], b"x")
    assert (got, dict(headers)["retry-after"], body) == (status, "3", b"")
    assert len(server.requests) == 1


def test_a_connection_is_used_again():
    with serving(answer(200, b"ok")) as server:
        client = _native.HttpClient()
        for _ in range(3):
            assert client.post(server.url, [], b"x")[0] == 200
        assert server.connections == 1


def test_a_large_answer_is_read_up_to_the_limit():
    with serving(answer(500, b"x" * 300_000)) as server:
        status, _, body = _native.HttpClient(max_response_bytes=1_000).post(server.url, [], b"")
    assert (status, body) == (500, b"x" * 1_000)


def test_the_interpreter_runs_on_while_a_request_waits():
    release = threading.Event()

    def hold(handler: BaseHTTPRequestHandler) -> None:
        release.wait(10)
        answer(200)(handler)

    with serving(hold) as server:
        done: list[int] = []
        thread = threading.Thread(
            target=lambda: done.append(_native.HttpClient().post(server.url, [], b"")[0])
        )
        thread.start()
        assert done == []  # the test itself would hang here if the lock were held
        release.set()
        thread.join(10)
        assert done == [200]


def test_time_that_runs_out_is_an_error_that_says_so():
    release = threading.Event()
    with serving(lambda _: release.wait(10) and None) as server:
        client = _native.HttpClient()
        with pytest.raises(_native.HttpError) as caught:
            client.post(f"{server.url}/secret", [], b"", timeout_millis=50)
        release.set()
    assert caught.value.timeout is True
    assert str(caught.value).startswith(f"cannot reach {server.url}: timed out (")
    assert isinstance(caught.value, OSError)


def test_a_server_that_is_not_there_is_an_error_with_its_address_and_without_the_path():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://user:hunter2@127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(_native.HttpError) as caught:
            _native.HttpClient().post(f"{url}/services/T0/B0/token", [], b"")
    assert caught.value.timeout is False
    shown = url.replace("user:hunter2@", "")
    assert str(caught.value) == f"cannot reach {shown}: Connection refused (os error 111)"


@pytest.mark.parametrize(
    ("url", "headers", "message"),
    [
        ("localhost:80/x", [], r"the URL is not usable: "),
        ("ftp://host/token", [], r"the URL is not usable: its scheme is neither http nor https$"),
        ("http://h/", [("a b", "x")], r'header name "a b" is not allowed in HTTP$'),
        ("http://h/", [("x-key", "hunter2\nx")], r"^the value of header x-key is not printable ASCII$"),
        ("http://h/", [("Content-Length", "1")], r"header content-length is set by the client itself"),
    ],
)
def test_a_request_that_cannot_be_sent_is_a_value_error_without_secrets(
    url: str, headers: list[tuple[str, str]], message: str
):
    with pytest.raises(ValueError, match=message) as caught:
        _native.HttpClient().post(url, headers, b"")
    assert "hunter2" not in str(caught.value)
    assert "token" not in str(caught.value)


def test_tls_trusts_the_given_authority_alone_and_shows_the_client_certificate(certificates: Certificates):
    with OtlpReceiver(
        certificate=certificates.server_certificate, key=certificates.server_key, client_ca=certificates.ca
    ) as receiver:
        receiver.answer_always_with(Status(418))
        pair: dict[str, Path] = {
            "client_certificate": certificates.client_certificate,
            "client_key": certificates.client_key,
        }
        client = _native.HttpClient(certificate=certificates.ca, **pair)
        headers = [("Content-Type", "application/x-protobuf")]
        assert client.post(receiver.logs_endpoint, headers, b"")[0] == 418
        with pytest.raises(_native.HttpError, match="TLS: "):
            _native.HttpClient(certificate=certificates.client_certificate, **pair).post(
                receiver.logs_endpoint, headers, b""
            )


def test_a_certificate_file_that_cannot_be_used_is_a_value_error(tmp_path: Path):
    with pytest.raises(ValueError, match=r"certificate file .*missing\.pem cannot be read"):
        _native.HttpClient(certificate=tmp_path / "missing.pem")


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, certificates: Certificates):
    with (
        OtlpReceiver(certificate=certificates.server_certificate, key=certificates.server_key) as receiver,
        ConnectProxy(receiver.port) as proxy,
    ):
        receiver.answer_always_with(Status(418))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        client = _native.HttpClient(certificate=certificates.ca)
        monkeypatch.delenv("HTTPS_PROXY")
        headers = [("Content-Type", "application/x-protobuf")]
        assert client.post("https://localhost:4/v1/logs", headers, b"")[0] == 418
        assert proxy.tunnels == ["localhost:4"]


def test_a_forked_child_opens_connections_of_its_own():
    with serving(answer(200, b"ok")) as server:
        client = _native.HttpClient()
        client.post(server.url, [], b"parent")
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                status = 0 if client.post(server.url, [], b"child")[0] == 200 else 2
            os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert client.post(server.url, [], b"parent again")[0] == 200
        assert [body for _, _, body in server.requests] == [b"parent", b"child", b"parent again"]
        assert server.connections == 2
