"""Requests that are not valid say where and why; what they held only when asked, and never what is marked."""

from dataclasses import dataclass
from typing import Annotated, Any, Self

import pytest
from fastapi import Body, Depends, FastAPI, HTTPException, Query, Request, WebSocket
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from starlette.applications import Starlette
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.routing import Route
from starlette.websockets import WebSocketDisconnect

from fapilog.redaction import Sensitive
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, RequestLoggingMiddleware, instrument_fastapi
from fapilog_instrumentation_fastapi.http_exceptions import EVENT as HTTP_EXCEPTION
from fapilog_instrumentation_fastapi.marks import Fields
from fapilog_instrumentation_fastapi.validation import COUNT, ERRORS, EVENT
from instrumentation.fastapi.tests.calling import client

PASSWORD = "hunter" + "2zz"
CARD = "4111" + "111111111111"
SETTINGS = RequestLogging(spans="none")


class Card(BaseModel):
    number: Annotated[str, Sensitive("pan")] = Field(max_length=5)
    pin: SecretStr = Field(max_length=2)
    month: int = Field(alias="expiryMonth")


@dataclass
class Address:
    street: Annotated[str, Sensitive("address")]
    zip: int


class Order(BaseModel):
    cards: list[Card]
    by_name: dict[str, Card] = {}
    address: Address | None = None
    note: int | str = 1


def shop(**exceptions: Any) -> FastAPI:
    app = FastAPI()

    @app.post("/orders")
    async def order(order: Order, dry: bool = False) -> None: ...

    @app.post("/two")
    async def two(card: Card, count: Annotated[int, Body()]) -> None: ...

    def user(token: Annotated[int, Query(), Sensitive("token")]) -> int:
        return token

    @app.get("/me")
    async def me(user: Annotated[int, Depends(user)], page: int = 1) -> None: ...

    @app.websocket("/rooms/{room}")
    async def chat(websocket: WebSocket, room: int) -> None: ...

    inner = FastAPI()

    @inner.get("/stock")
    async def stock(count: int) -> None:
        raise HTTPException(503, "closed")

    app.mount("/tenants/{tenant}", inner)
    return instrument_fastapi(app, SETTINGS, exceptions=exceptions)


async def the_record(app: FastAPI, logs: CapturedLogs, path: str, body: Any = None) -> Any:
    async with client(app) as http:
        answer = await http.request("GET" if body is None else "POST", path, json=body)
    assert answer.status_code == 422
    [record] = logs.find_all(event_name=EVENT)
    return record


async def test_locations_and_types_are_said_and_no_values(fapilog_logs: CapturedLogs):
    body = {"cards": [{"number": CARD, "pin": "1", "expiryMonth": "x"}], "note": 2}
    record = await the_record(shop(), fapilog_logs, "/orders?dry=perhaps", body)
    assert (record.severity_text, record.body, record.scope_name) == (
        "WARN",
        "request of POST /orders is not valid",
        "fapilog.http",
    )
    record.attributes.pop("fapilog.correlation_id")
    assert record.attributes == {
        "http.request.method": "POST",
        "http.route": "/orders",
        "http.response.status_code": 422,
        "url.path": "/orders",
        COUNT: 3,
        ERRORS: [
            {"loc": "query.dry", "type": "bool_parsing"},
            {"loc": "body.cards.0.number", "type": "string_too_long"},
            {"loc": "body.cards.0.expiryMonth", "type": "int_parsing"},
        ],
    }


async def test_values_come_when_asked_without_what_is_marked(fapilog_logs: CapturedLogs):
    body = {
        "cards": [{"number": CARD, "pin": "12345", "expiryMonth": "x"}, {"number": "1", "pin": "999"}],
        "by_name": {"mine": {"number": CARD, "pin": "1", "expiryMonth": 1}, "yours": {"number": CARD}},
        "address": {"street": "Main 1", "zip": "x"},
        "note": {"password": "p"},
    }
    record = await the_record(shop(validation_values=True), fapilog_logs, "/orders", body)
    found = {each["loc"]: each["input"] for each in record.attributes[ERRORS]}
    assert found == {
        "body.cards.0.number": "[REDACTED:pan]",
        "body.cards.0.pin": "[REDACTED:secret]",
        "body.cards.0.expiryMonth": "x",
        "body.cards.1.pin": "[REDACTED:secret]",
        # What is missing has the whole mapping as its input.
        "body.cards.1.expiryMonth": {"number": "[REDACTED:pan]", "pin": "[REDACTED:secret]"},
        "body.by_name.mine.number": "[REDACTED:pan]",
        "body.by_name.yours.number": "[REDACTED:pan]",
        "body.by_name.yours.pin": {"number": "[REDACTED:pan]"},
        "body.by_name.yours.expiryMonth": {"number": "[REDACTED:pan]"},
        "body.address.zip": "x",
        "body.note.int": {"password": "[REDACTED:secret]"},
        "body.note.str": {"password": "[REDACTED:secret]"},
    }
    assert CARD not in repr(record)


@pytest.mark.parametrize("body", [[1], CARD, {"cards": CARD}, {"cards": [[CARD]]}, [[CARD]]])
async def test_a_value_of_another_shape_shows_no_marked_one(body: Any, fapilog_logs: CapturedLogs):
    record = await the_record(shop(validation_values=True), fapilog_logs, "/orders", body)
    assert record.attributes[ERRORS]
    assert CARD not in repr(record)


async def test_members_of_a_body_of_several_parameters_and_dependencies_are_known(
    fapilog_logs: CapturedLogs,
):
    app = shop(validation_values=True)
    record = await the_record(app, fapilog_logs, "/two", {"card": {"number": CARD}, "count": "x"})
    assert CARD not in repr(record)
    assert {each["loc"] for each in record.attributes[ERRORS]} >= {"body.card.pin", "body.count"}
    fapilog_logs.clear()
    record = await the_record(app, fapilog_logs, "/me?token=abc&page=x")
    assert [each["input"] for each in record.attributes[ERRORS]] == ["x", "[REDACTED:token]"] or [
        each["input"] for each in record.attributes[ERRORS]
    ] == ["[REDACTED:token]", "x"]


async def test_json_that_cannot_be_read_is_said_without_it(fapilog_logs: CapturedLogs):
    async with client(shop(validation_values=True)) as http:
        await http.post(
            "/orders",
            content=b'{"number": ' + CARD.encode() + b",",
            headers={"content-type": "application/json"},
        )
    [record] = fapilog_logs.find_all(event_name=EVENT)
    assert record.attributes[ERRORS][0]["type"] == "json_invalid"
    assert CARD not in repr(record)


async def test_a_caller_cannot_make_the_record_long(fapilog_logs: CapturedLogs):
    body = {"cards": [{} for _ in range(1_000)], "by_name": {"x" * 10_000: {}}}
    record = await the_record(shop(), fapilog_logs, "/orders", body)
    assert record.attributes[COUNT] > 1_000
    assert len(record.attributes[ERRORS]) == 20
    assert len(repr(record.attributes)) < 5_000


def test_a_websocket_that_is_not_valid_is_one_too(fapilog_logs: CapturedLogs):
    with pytest.raises(WebSocketDisconnect), TestClient(shop()).websocket_connect("/rooms/tea"):
        pass
    [record] = fapilog_logs.find_all(event_name=EVENT)
    assert record.body == "request of WS /rooms/{room} is not valid"
    assert record.attributes[ERRORS] == [{"loc": "path.room", "type": "int_parsing"}]


async def test_a_mounted_application_is_watched_too(fapilog_logs: CapturedLogs):
    app = shop()
    record = await the_record(app, fapilog_logs, "/tenants/acme/stock?count=x")
    assert record.attributes["http.route"] == "/tenants/{tenant}/stock"
    async with client(app) as http:
        await http.get("/tenants/acme/stock?count=1")
    assert len(fapilog_logs.find_all(event_name=HTTP_EXCEPTION)) == 1


async def test_the_applications_own_handlers_answer_as_ever(fapilog_logs: CapturedLogs):
    app = shop()
    own: Any = app.exception_handlers

    @app.exception_handler(StarletteHTTPException)
    def on_http(request: Request, error: StarletteHTTPException) -> JSONResponse:
        return JSONResponse({"own": error.status_code}, status_code=error.status_code)

    @app.exception_handler(404)
    async def on_404(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"nowhere": True}, status_code=404)

    async with client(app) as http:
        assert (await http.get("/nowhere")).json() == {"nowhere": True}
        assert (await http.get("/orders")).json() == {"own": 405}
    assert app.exception_handlers is own
    assert app.exception_handlers[404] is on_404


async def test_switched_off_there_is_none(fapilog_logs: CapturedLogs):
    async with client(shop(validation=False)) as http:
        assert (await http.get("/me")).status_code == 422
    assert fapilog_logs.find_all(event_name=EVENT) == []


def failing(**exceptions: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/{status}")
    async def fail(status: int) -> None:
        detail = {"why": "x" * 1_000, "password": "p", "more": [1, None, "y" * 1_000]}
        raise HTTPException(status, detail) from KeyError("cause")

    return instrument_fastapi(app, SETTINGS, exceptions=exceptions)


async def test_an_http_exception_of_500_and_more_is_an_error_without_stack(fapilog_logs: CapturedLogs):
    async with client(failing(detail_chars=10)) as http:
        for status in (404, 503):
            await http.get(f"/{status}")
    [record] = fapilog_logs.find_all(event_name=HTTP_EXCEPTION)
    record.attributes.pop("fapilog.correlation_id")
    assert (record.severity_text, record.body) == ("ERROR", "GET /{status} answered with HTTPException 503")
    assert record.attributes == {
        "http.request.method": "GET",
        "http.route": "/{status}",
        "http.response.status_code": 503,
        "url.path": "/503",
        "error.type": "503",
        "fapilog.http.detail": {
            "why": "xxxxxxxxxx...",
            "password": "[REDACTED:secret]",
            "more": [1, None, "yyyyyyyyyy..."],
        },
        "fapilog.http.cause": "KeyError",
    }


async def test_rules_choose_statuses_and_severities(fapilog_logs: CapturedLogs):
    async with client(failing(http=["404=info", "4xx"], detail_chars=0)) as http:
        for status in (404, 409, 503):
            await http.get(f"/{status}")
    found = fapilog_logs.find_all(event_name=HTTP_EXCEPTION)
    assert [(each.severity_text, each.attributes["url.path"]) for each in found] == [
        ("INFO", "/404"),
        ("WARN", "/409"),
    ]
    assert "fapilog.http.detail" not in found[0].attributes


async def test_plain_starlette_and_the_middleware_alone_see_http_exceptions(fapilog_logs: CapturedLogs):
    async def fail(request: Request) -> None:
        raise StarletteHTTPException(503)

    inside, around = (Starlette(routes=[Route("/", fail)]) for _ in range(2))
    inside.add_middleware(RequestLoggingMiddleware, SETTINGS)
    for app in (inside, RequestLoggingMiddleware(around, SETTINGS)):
        async with client(app) as http:
            for _ in range(2):
                assert (await http.get("/")).text == "Service Unavailable"
    assert len(fapilog_logs.find_all(event_name=HTTP_EXCEPTION)) == 4


async def test_an_application_that_runs_already_is_watched_from_then_on(fapilog_logs: CapturedLogs):
    app = FastAPI()

    @app.get("/")
    async def fail() -> None:
        raise HTTPException(503)

    async with client(app) as http:
        await http.get("/")
        instrument_fastapi(app, SETTINGS)
        await http.get("/")
    assert len(fapilog_logs.find_all(event_name=HTTP_EXCEPTION)) == 1


async def test_a_marked_parameter_that_is_the_whole_body_is_hidden(fapilog_logs: CapturedLogs):
    app = FastAPI()

    @app.post("/cards")
    async def card(number: Annotated[int, Body(), Sensitive("pan")]) -> None: ...

    instrument_fastapi(app, SETTINGS, exceptions={"validation_values": True})
    record = await the_record(app, fapilog_logs, "/cards", CARD + "x")
    assert [each["input"] for each in record.attributes[ERRORS]] == ["[REDACTED:pan]"]


class Tree(BaseModel):
    left: "Tree | None" = None
    right: "list[Tree] | None" = None
    card: Card | None = None
    count: int = 0


NUMBER = st.just(CARD) | st.just([CARD]) | st.just({"number": CARD})
RAW = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.fixed_dictionaries({"number": NUMBER}),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["left", "right", "card", "cards", "count", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60)
@given(body=RAW)
def test_a_marked_field_is_hidden_wherever_a_caller_puts_it(body: Any):
    app = FastAPI()

    @app.post("/")
    async def grow(tree: Tree) -> None: ...

    route = next(each for each in app.routes if getattr(each, "path", "") == "/")
    fields = Fields(route)
    for validated in (Tree, Order):
        try:
            validated.model_validate(body)
        except ValidationError as error:
            for each in error.errors():
                assert CARD not in repr(fields.hidden(("body", *each["loc"]), each["input"]))
                assert CARD not in repr(fields.hidden(("body",), each["input"]))


def test_a_route_that_is_none_of_fastapi_has_no_known_fields():
    assert Fields(object()).hidden(("body", "a"), {"b": 1}) == (None, {"b": 1})
    assert Fields(None).hidden((), "x") == (None, "x")


class Login(BaseModel):
    name: str = Field(max_length=5)
    password: SecretStr
    again: str = ""

    @field_validator("again")
    @classmethod
    def _is_the_same(cls, again: str, info: ValidationInfo) -> str:
        if again:
            raise ValueError(f"{info.data['password'].get_secret_value()} is not {again}")
        return again

    @model_validator(mode="after")
    def _is_strong(self) -> Self:
        raise ValueError(f"{self.password.get_secret_value()} is weak")


class Visit(BaseModel):
    login: Login


@pytest.mark.parametrize("more", [{}, {"again": "tea"}, {"name": "much too long"}])
async def test_messages_of_validators_do_not_repeat_what_is_marked(
    more: dict[str, Any], fapilog_logs: CapturedLogs
):
    app = FastAPI()

    @app.post("/one")
    async def one(login: Login) -> None: ...

    @app.post("/inside")
    async def inside(visit: Visit) -> None: ...

    @app.post("/two")
    async def two(login: Login, count: Annotated[int, Body()]) -> None: ...

    instrument_fastapi(app, SETTINGS, exceptions={"validation_values": True})
    login = {"name": "tea", "password": PASSWORD, **more}
    async with client(app) as http:
        await http.post("/one", json=login)
        await http.post("/inside", json={"login": login})
        await http.post("/two", json={"login": login, "count": 1})
    records = fapilog_logs.find_all(event_name=EVENT)
    assert PASSWORD not in str([record.attributes for record in records])
    [messages] = {str([each.get("message") for each in record.attributes[ERRORS]]) for record in records}
    assert messages == str(["String should have at most 5 characters" if "name" in more else None])


async def test_messages_of_validators_are_shown_where_nothing_is_marked(fapilog_logs: CapturedLogs):
    class Pair(BaseModel):
        left: int
        right: int

        @model_validator(mode="after")
        def _fits(self) -> Self:
            raise ValueError("left is not right")

    app = FastAPI()

    @app.post("/pairs")
    async def pairs(pair: Pair) -> None: ...

    instrument_fastapi(app, SETTINGS, exceptions={"validation_values": True})
    async with client(app) as http:
        await http.post("/pairs", json={"left": 1, "right": 2})
    [record] = fapilog_logs.find_all(event_name=EVENT)
    [error] = record.attributes[ERRORS]
    assert error["message"] == "Value error, left is not right"
