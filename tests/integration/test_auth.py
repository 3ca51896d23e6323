"""`configure_otel(auth=...)`: headers that are refused, over every protocol, in a forked child too."""

import itertools
import os
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest

import fapilog
from fapilog import diagnostics
from fapilog.errors import ConfigurationError
from fapilog.testing import OtlpReceiver
from tests.integration.harness import counts
from tests.integration.zero_code import run
from tests.servers.grpc_receiver import GrpcReceiver, Reply
from tests.servers.http_receiver import HttpReceiver
from tests.servers.http_receiver import Reply as HttpReply
from tests.unit.distributions import install

Configure = Callable[..., fapilog.Telemetry]


class Tokens:
    """Gives token 1, 2, 3; counts its calls."""

    def __init__(self, lifetime: float | None = None) -> None:
        self.given: list[str] = []
        self._lifetime = lifetime
        self._numbers = itertools.count(1)

    def __call__(self) -> Any:
        self.given.append(f"token {next(self._numbers)}")
        headers = {"Authorization": self.given[-1]}
        return headers if self._lifetime is None else (headers, self._lifetime)


def otlp(receiver: Any, protocol: str, **settings: Any) -> dict[str, Any]:
    endpoint = receiver.endpoint if protocol == "grpc" else receiver.url
    quick = {"initial_backoff_millis": 1, "max_backoff_millis": 10}
    return {"endpoint": endpoint, "protocol": protocol, "retry": quick, **settings}


def sent_tokens(receiver: Any, protocol: str) -> list[str]:
    if protocol == "grpc":
        return [call.metadata["authorization"] for call in receiver.calls]
    return [post.headers["authorization"] for post in receiver.posts]


def receiver_of(protocol: str, refused: str = "") -> Any:
    """A receiver that takes a first request, and then none with the `refused` token."""
    taken: list[object] = []

    def choose(token: str, refusal: Any) -> Any:
        taken.append(token)
        return refusal if token == refused and len(taken) > 1 else None

    if protocol == "grpc":
        refusal = Reply(grpc.StatusCode.UNAUTHENTICATED, "expired")
        return GrpcReceiver(choose=lambda call: choose(call.metadata["authorization"], refusal))
    return HttpReceiver(choose=lambda post: choose(post.headers["authorization"], HttpReply(401)))


@pytest.fixture(autouse=True)
def silence() -> None:
    """Nothing was said before."""
    diagnostics._voice.forget()


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_the_first_request_has_headers_and_refused_ones_are_replaced(
    configure: Configure, protocol: str
) -> None:
    tokens = Tokens()
    with receiver_of(protocol, refused="token 1") as receiver:
        telemetry = configure("http://unused/", otlp=otlp(receiver, protocol), auth=tokens)
        log = fapilog.get_logger("orders")
        log.info("first")
        assert telemetry.force_flush(20_000)
        log.info("second")
        assert telemetry.force_flush(20_000)
        first, *refused, last = sent_tokens(receiver, protocol)
        assert (first, set(refused), last) == ("token 1", {"token 1"}, "token 2")
        assert counts(telemetry.ledger()) == {"offered": 2, "accepted": 2, "delivered": 2}
    assert tokens.given == ["token 1", "token 2"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_a_refused_token_is_not_sent_again_while_the_function_gets_another(
    configure: Configure, protocol: str
) -> None:
    asked, answer, numbers = threading.Event(), threading.Event(), itertools.count(1)

    def token() -> dict[str, str]:
        number = next(numbers)
        if number > 1:
            asked.set()
            assert answer.wait(20)
        return {"authorization": f"token {number}"}

    with receiver_of(protocol, refused="token 1") as receiver:
        telemetry = configure("http://unused/", otlp=otlp(receiver, protocol), auth=token)
        log = fapilog.get_logger("orders")
        log.info("first")
        assert telemetry.force_flush(20_000)
        log.info("second")
        assert asked.wait(20)
        assert not telemetry.force_flush(300)
        assert sent_tokens(receiver, protocol) == ["token 1", "token 1"]
        answer.set()
        assert telemetry.force_flush(20_000)
        assert sent_tokens(receiver, protocol) == ["token 1", "token 1", "token 2"]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_records_wait_while_the_function_fails_and_one_line_says_so(
    configure: Configure, capfd: pytest.CaptureFixture[str], protocol: str
) -> None:
    ready = threading.Event()

    def token() -> dict[str, str]:
        if not ready.is_set():
            raise OSError("no network")
        return {"authorization": "a"}

    quick = {"retry": {"initial_backoff_millis": 1, "max_backoff_millis": 10}, "breaker_pause_millis": 10}
    with receiver_of(protocol) as receiver:
        telemetry = configure("http://unused/", otlp=otlp(receiver, protocol), auth=token, delivery=quick)
        fapilog.get_logger("orders").info("kept")
        assert not telemetry.force_flush(200)
        assert counts(telemetry.ledger()) == {"offered": 1, "accepted": 1, "pending": 1}
        ready.set()
        assert telemetry.force_flush(20_000)
        assert sent_tokens(receiver, protocol) == ["a"]
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("fapilog: ")]
    assert ["the auth function raised OSError: no network" in line for line in lines] == [True]


def test_an_async_function_is_awaited(configure: Configure, receiver: OtlpReceiver) -> None:
    async def token() -> tuple[dict[str, str], int]:
        return {"authorization": "a"}, 3_600

    telemetry = configure(auth=token, otlp={"headers": {"x-team": "b"}})
    fapilog.get_logger("orders").info("hello")
    assert telemetry.force_flush(20_000)
    [request] = receiver.requests
    assert (request.headers["authorization"], request.headers["x-team"]) == ("a", "b")


def test_a_webhook_gets_its_own_function_only(configure: Configure, receiver: OtlpReceiver) -> None:
    with HttpReceiver() as hook:
        telemetry = configure(
            exporters=["otlp", "webhook"],
            webhook={"url": hook.url},
            auth={"otlp": lambda: {"authorization": "for otlp"}, "webhook": lambda: {"x-key": "for hook"}},
        )
        fapilog.get_logger("orders").info("hello")
        assert telemetry.force_flush(20_000)
        [post] = hook.posts
        assert (post.headers.get("authorization"), post.headers["x-key"]) == (None, "for hook")
        assert receiver.requests[0].headers["authorization"] == "for otlp"


def test_a_single_function_is_for_otlp_alone(configure: Configure) -> None:
    with HttpReceiver() as hook:
        settings = {"exporters": ["otlp", "webhook"], "webhook": {"url": hook.url}}
        telemetry = configure(**settings, auth=lambda: {"authorization": "for otlp"})
        fapilog.get_logger("orders").info("hello")
        assert telemetry.force_flush(20_000)
        assert "authorization" not in hook.posts[0].headers


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_a_forked_child_delivers_with_headers_of_its_own(configure: Configure, protocol: str) -> None:
    with receiver_of(protocol) as receiver:
        telemetry = configure(
            "http://unused/", otlp=otlp(receiver, protocol), auth=lambda: {"authorization": f"{os.getpid()}"}
        )
        log = fapilog.get_logger("orders")
        log.info("parent")
        assert telemetry.force_flush(20_000)
        pid = os.fork()
        if pid == 0:
            log.info("child")
            os._exit(0 if telemetry.force_flush(20_000) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        log.info("parent again")
        assert telemetry.force_flush(20_000)
        tokens = sent_tokens(receiver, protocol)
        assert (tokens[0], tokens[-1]) == (str(os.getpid()), str(os.getpid()))
        # Native headers are inherited: the first request of a child may still carry the parent's.
        assert set(tokens[1:-1]) <= {str(pid), str(os.getpid())}


@pytest.mark.parametrize("preset", ["google", "azure"])
def test_a_vendor_whose_credentials_expire_wants_a_function(configure: Configure, preset: str) -> None:
    parameters = {"google": {"project": "p"}, "azure": {"host": "h", "rule": "r"}}[preset]
    vendor = {"preset": preset, "preset_parameters": parameters}
    with pytest.raises(ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=fapilog.Settings(otlp=vendor))
    assert (caught.value.code, caught.value.what) == (
        "preset-incomplete",
        f"the preset {preset} needs an auth function",
    )
    fapilog.LoggerProvider(settings=fapilog.Settings(otlp=vendor), auth=Tokens()).shutdown()
    own = vendor | {"headers": {"authorization": "Bearer x"}}
    fapilog.LoggerProvider(settings=fapilog.Settings(otlp=own)).shutdown()


CODE = """
    def token():
        return {"authorization": "Bearer plugin"}, 3_600

    class Slow:
        async def __call__(self):
            return {"authorization": "Bearer plugin"}

    class Refused:
        def __init__(self):
            raise RuntimeError("no account")
"""
PLUGINS = {"token": "acme_auth:token", "slow": "acme_auth:Slow", "refused": "acme_auth:Refused"}


@pytest.fixture
def plugins(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A package with auth functions, one of them broken; the folder it is installed in."""
    install(tmp_path, "acme-auth", {"fapilog.auth": PLUGINS}, CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize("name", ["token", "slow"])
def test_a_plugin_gives_the_headers_where_no_function_is_passed(name: str) -> None:
    with OtlpReceiver() as receiver:
        settings = fapilog.Settings.load(
            environ={"FAPILOG_OTLP_AUTH": name}, otlp={"endpoint": receiver.endpoint}
        )
        with fapilog.LoggerProvider(settings=settings) as provider:
            provider.get_logger("orders").emit(body="one")
            assert provider.force_flush(20_000)
        with fapilog.LoggerProvider(settings=settings, auth=Tokens()) as provider:
            provider.get_logger("orders").emit(body="two")
            assert provider.force_flush(20_000)
        sent = [request.headers["authorization"] for request in receiver.requests]
        assert sent == ["Bearer plugin", "token 1"]


def test_a_vendor_whose_credentials_expire_works_without_code(plugins: Any) -> None:
    with OtlpReceiver() as receiver:
        given = {
            "FAPILOG_OTLP_PRESET": "google",
            "FAPILOG_OTLP_PRESET_PARAMETERS": "project=p",
            "FAPILOG_OTLP_AUTH": "token",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": receiver.logs_endpoint,
            "PYTHONPATH": str(plugins),
        }
        status, _, err = run("log_under_rules", receiver, **given)
        assert status == 0, err
        sent = [request for request in receiver.requests if request.path == "/v1/logs"]
        assert {request.headers["authorization"] for request in sent} == {"Bearer plugin"}


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "code", "what"),
    [
        ("refused", "auth-invalid", "the auth plugin refused is broken or disabled"),
        ("nobody", "plugin-unknown", "otlp.auth names a plugin that is not installed"),
    ],
)
def test_an_auth_plugin_that_cannot_be_used_is_an_error_with_its_origin(
    name: str, code: str, what: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        fapilog.LoggerProvider(settings=fapilog.Settings.load(environ={"FAPILOG_OTLP_AUTH": name}))
    [setting] = caught.value.settings
    assert (caught.value.code, caught.value.what, setting.origin) == (code, what, "FAPILOG_OTLP_AUTH")


@pytest.mark.parametrize(
    ("auth", "what"),
    [
        ("token", "auth is a str, not a function"),
        ({"otpl": Tokens()}, "auth is for otpl, which takes none"),
        ({"webhook": "token"}, "auth is a str, not a function"),
    ],
)
def test_what_is_no_function_is_refused(auth: Any, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        fapilog.LoggerProvider(exporters=["none"], auth=auth)
    assert (caught.value.code, caught.value.what) == ("auth-invalid", what)
