"""Captured bodies have nothing of what models mark, whatever callers and answers make of it."""

import json
from dataclasses import dataclass
from typing import Annotated, Any, NewType, Self

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse, PlainTextResponse
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    WithJsonSchema,
    computed_field,
    model_validator,
)
from typing_extensions import TypeAliasType, TypedDict

from fapilog.redaction import Sensitive
from fapilog.testing import CapturedLogs
from fapilog_instrumentation_fastapi import RequestLogging, instrument_fastapi
from fapilog_instrumentation_fastapi.access import HTTP_EVENT
from fapilog_instrumentation_fastapi.bodies import REQUEST_BODY, RESPONSE_BODY
from fapilog_instrumentation_fastapi.hidden_bodies import of_request, of_response
from instrumentation.fastapi.tests.calling import client

CARD = "tea-4111" + "111111111111"
PAN, UNKNOWN = "[REDACTED:pan]", "[REDACTED:sensitive]"
SETTINGS = RequestLogging(
    spans="none",
    capture={
        "request_body": "always",
        "response_body": "always",
        "body_types": ("application/json", "application/x-www-form-urlencoded", "text/*"),
    },
)
Pan = NewType("Pan", Annotated[str, Sensitive("pan")])
Alias = TypeAliasType("Alias", Annotated[str, Sensitive("pan")])


class Number(RootModel[Annotated[str, Sensitive("pan")]]):
    pass


class Row(TypedDict):
    field_10: Annotated[str, Sensitive("pan")]
    item: str


@dataclass
class Holder:
    field_11: Annotated[str, Sensitive("pan")]


class Inner(BaseModel):
    field_12: Annotated[str, Sensitive("pan"), WithJsonSchema({"type": "string"})]


class Payment(BaseModel):
    model_config = ConfigDict(extra="allow")

    field_1: Annotated[str, Sensitive("pan")]
    field_2: Annotated[str, Sensitive("pan")] | None = None
    field_3: list[Annotated[str, Sensitive("pan")]] = []
    field_4: Annotated[str, Sensitive("pan")] = Field("", alias="four")
    field_5: Annotated[str, Sensitive("pan")] = Field(
        "", validation_alias=AliasChoices("five", AliasPath("x", "V"))
    )
    field_6: Pan = Pan("")
    field_7: Alias = ""
    field_8: Number = Number("")
    field_9: SecretStr = SecretStr("")
    rows: list[Row] = []
    holder: Holder | None = None
    inner: dict[str, tuple[Inner, ...]] = {}
    item: str = "tea"


EVERY = {
    "field_1": CARD,
    "field_2": CARD,
    "field_3": [CARD],
    "four": CARD,
    "field_4": CARD,
    "five": CARD,
    "x": {"V": CARD},
    "field_6": CARD,
    "field_7": CARD,
    "field_8": CARD,
    "field_9": CARD,
    "rows": [{"field_10": CARD, "item": "cup"}],
    "holder": {"field_11": CARD},
    "inner": {"a": [{"field_12": CARD}]},
    "item": "cup",
}
SHOWN = {
    **dict.fromkeys(EVERY, PAN),
    "field_9": "[REDACTED:secret]",
    "x": {"V": PAN},
    "rows": [{"field_10": PAN, "item": "cup"}],
    "holder": {"field_11": PAN},
    "inner": {"a": [{"field_12": PAN}]},
    "item": "cup",
}


async def bodies(app: FastAPI, logs: CapturedLogs, path: str = "/", **request: Any) -> tuple[Any, Any]:
    """The captured bodies of one request and its response."""
    async with client(app) as http:
        await http.post(path, **request)
    attributes = logs.find_all(event_name=HTTP_EVENT)[-1].attributes
    return attributes.get(REQUEST_BODY), attributes.get(RESPONSE_BODY)


async def test_marked_fields_of_every_kind_of_type_are_hidden_in_both_bodies(fapilog_logs: CapturedLogs):
    app = FastAPI()

    @app.post("/")
    async def pay(payment: Payment, request: Request) -> Any:
        # The same fields go back, although nobody says what the answer is.
        return await request.json()

    assert await bodies(instrument_fastapi(app, SETTINGS), fapilog_logs, json=EVERY) == (SHOWN, SHOWN)


async def test_an_answer_is_read_beside_its_model(fapilog_logs: CapturedLogs):
    class Receipt(BaseModel):
        number: Annotated[str, Sensitive("pan")] = Field(CARD, serialization_alias="nr")

        @computed_field
        @property
        def link(self) -> Annotated[str, Sensitive("link")]:
            return f"/receipts/{self.number}"

    app = FastAPI()

    @app.post("/one")
    async def one() -> Receipt:
        return Receipt()

    @app.post("/list")
    async def some() -> list[Receipt]:
        return [Receipt()]

    @app.post("/whole")
    async def whole() -> Annotated[str, Sensitive("pan")]:
        return CARD

    @app.post("/gone", responses={410: {"model": Receipt}})
    async def gone() -> Any:
        return JSONResponse({"nr": CARD, "why": "sold"}, 410)

    @app.post("/text")
    async def text() -> Receipt:
        return PlainTextResponse(f"receipt of {CARD}")  # type: ignore[return-value]

    instrument_fastapi(app, SETTINGS)
    shown = {"nr": PAN, "link": "[REDACTED:link]"}
    assert {
        path: (await bodies(app, fapilog_logs, path))[1]
        for path in ("/one", "/list", "/whole", "/gone", "/text")
    } == {
        "/one": shown,
        "/list": [shown],
        "/whole": PAN,
        "/gone": {"nr": PAN, "why": "sold"},
        "/text": UNKNOWN,
    }


async def test_the_answer_to_a_request_that_is_not_valid_does_not_repeat_it(fapilog_logs: CapturedLogs):
    class Strict(BaseModel):
        card: Annotated[str, Sensitive("pan")] = Field(max_length=3)
        count: int

        @model_validator(mode="after")
        def _refuse(self) -> Self:
            raise ValueError(f"{self.card} is refused")

    app = FastAPI()

    @app.post("/")
    async def pay(strict: Strict) -> None: ...

    instrument_fastapi(app, SETTINGS)
    _, answer = await bodies(app, fapilog_logs, json={"card": CARD, "count": "x"})
    assert [(each["loc"], each["input"]) for each in answer["detail"]] == [
        (["body", "card"], PAN),
        (["body", "count"], "x"),
    ]
    assert [each["msg"] for each in answer["detail"]] == [
        PAN,
        "Input should be a valid integer, unable to parse string as an integer",
    ]
    _, answer = await bodies(app, fapilog_logs, json={"card": "abc", "count": 1})
    [error] = answer["detail"]
    assert (error["msg"], error["input"]) == (UNKNOWN, {"card": PAN, "count": 1})
    assert "abc" not in repr(answer)


@pytest.mark.parametrize("content", [{"card": CARD, "item": "cup"}, CARD, [CARD], [[CARD]], {"a": [CARD]}])
async def test_a_parameter_that_is_the_whole_body_hides_the_whole_of_it(
    content: Any, fapilog_logs: CapturedLogs
):
    app = FastAPI()

    @app.post("/")
    async def pay(card: Annotated[Any, Body(), Sensitive("pan")]) -> None: ...

    request, _ = await bodies(instrument_fastapi(app, SETTINGS), fapilog_logs, json=content)
    assert request == PAN


async def test_members_of_forms_and_of_bodies_of_several_parameters_are_hidden_by_name(
    fapilog_logs: CapturedLogs,
):
    app = FastAPI()

    @app.post("/embedded")
    async def embedded(card: Annotated[str, Body(embed=True), Sensitive("pan")]) -> None: ...

    @app.post("/two")
    async def two(card: Annotated[str, Body(), Sensitive("pan")], payment: Inner) -> None: ...

    instrument_fastapi(app, SETTINGS)
    sent = {"card": CARD, "item": "cup"}
    for form in ({"data": sent}, {"json": sent}):
        assert (await bodies(app, fapilog_logs, "/embedded", **form))[0] == {"card": PAN, "item": "cup"}
    both = {"card": [CARD], "payment": {"field_12": {"a": CARD}, "item": "cup"}, "field_12": CARD}
    assert (await bodies(app, fapilog_logs, "/two", json=both))[0] == {
        "card": PAN,
        "payment": {"field_12": PAN, "item": "cup"},
        "field_12": PAN,
    }
    # Neither JSON nor a form: it may be any of them.
    text = {"content": CARD, "headers": {"content-type": "text/plain"}}
    assert (await bodies(app, fapilog_logs, "/two", **text))[0] == PAN


async def test_parameters_of_an_included_router_count(fapilog_logs: CapturedLogs):
    async def signed(signature: Annotated[str, Body(), Sensitive("signature")]) -> None: ...

    router, app = APIRouter(), FastAPI()

    @router.post("/pay")
    async def pay(item: Annotated[str, Body()]) -> None: ...

    app.include_router(router, prefix="/signed", dependencies=[Depends(signed)])
    app.include_router(router)
    instrument_fastapi(app, SETTINGS)
    sent = {"signature": CARD, "item": "cup"}
    assert (await bodies(app, fapilog_logs, "/signed/pay", json=sent))[0] == {
        "signature": "[REDACTED:signature]",
        "item": "cup",
    }
    assert (await bodies(app, fapilog_logs, "/pay", json="cup"))[0] == "cup"


async def test_a_body_that_reaches_no_route_is_read_by_the_names_of_all(fapilog_logs: CapturedLogs):
    inner, app = FastAPI(), FastAPI()

    @inner.post("/")
    async def pay(payment: Inner) -> None: ...

    @app.post("/")
    async def order(payment: Payment) -> None: ...

    app.mount("/inner", inner)

    @app.middleware("http")
    async def refuse(request: Request, call_next: Any) -> Any:
        return JSONResponse({"refused": await request.json()}, 403)

    instrument_fastapi(app, SETTINGS)
    sent = {"field_1": CARD, "field_12": CARD, "item": "cup"}
    shown = {"field_1": PAN, "field_12": PAN, "item": "cup"}
    assert await bodies(app, fapilog_logs, "/nowhere", json=sent) == (shown, {"refused": shown})


async def test_the_detail_of_an_http_exception_is_hidden_in_the_answer_and_in_its_own_record(
    fapilog_logs: CapturedLogs,
):
    app = FastAPI()

    @app.post("/")
    async def pay(payment: Inner) -> None:
        raise HTTPException(503, {"field_12": payment.field_12, "item": "cup"})

    instrument_fastapi(app, SETTINGS)
    shown = {"field_12": PAN, "item": "cup"}
    _, answer = await bodies(app, fapilog_logs, json={"field_12": CARD})
    assert answer == {"detail": shown}
    assert (
        fapilog_logs.find(event_name="fapilog.http.server.http_exception").attributes["fapilog.http.detail"]
        == shown
    )
    assert CARD not in repr(list(fapilog_logs))


async def test_what_is_not_marked_is_shown_as_it_is(fapilog_logs: CapturedLogs):
    class Plain(BaseModel):
        card: str

    app = FastAPI()

    @app.post("/")
    async def pay(plain: Plain) -> Plain:
        return plain

    sent = {"card": CARD, "loc": ["body", "card"], "type": "x", "input": CARD, "msg": "m"}
    assert await bodies(instrument_fastapi(app, SETTINGS), fapilog_logs, json=sent) == (sent, {"card": CARD})


SECRETS = st.just(CARD) | st.just([CARD]) | st.just({"a": CARD})
NAMES = [*EVERY, "field_10", "field_11", "field_12"]
MARKED = sorted(set(NAMES) - {"rows", "holder", "inner", "item", "x"})
DOCUMENTS = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=5)
    | st.dictionaries(st.sampled_from(MARKED), SECRETS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rows", "holder", "inner", "item", "x", "new"]), inner, max_size=4)
    ),
    max_leaves=15,
)


def routed(endpoint: Any) -> dict[str, Any]:
    """The scope of a request that reached an endpoint."""
    app = FastAPI()
    app.post("/")(endpoint)
    return {"app": app, "route": next(each for each in app.routes if getattr(each, "path", "") == "/")}


async def pay_any(payment: Payment) -> Payment:
    return payment


@settings(max_examples=100)
@given(document=DOCUMENTS)
def test_a_marked_field_is_hidden_wherever_it_stands_in_any_document(document: Any):
    asked = routed(pay_any)
    nowhere = {"app": asked["app"]}
    for shown in (
        of_request(asked, document),
        of_response(asked, document),
        of_response(
            asked,
            {"detail": [{"type": "x", "loc": ["body", "item"], "msg": f"{document}", "input": document}]},
        ),
        of_request(nowhere, document),
        of_response(nowhere, document),
    ):
        assert CARD not in json.dumps(shown)


def test_a_document_of_many_members_is_read_once():
    asked, members = routed(pay_any), 8_000
    document = {"rows": [{"field_10": CARD, "item": str(place)} for place in range(members)]}
    shown = of_request(asked, document)
    assert shown == {"rows": [{"field_10": PAN, "item": str(place)} for place in range(members)]}
