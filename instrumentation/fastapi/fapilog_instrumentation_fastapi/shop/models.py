"""What clients send. `Sensitive` marks what no record may show, whatever the field is called."""

from typing import Annotated

from pydantic import BaseModel, Field, SecretStr

from fapilog.redaction import Sensitive


class Login(BaseModel):
    """Who signs in."""

    user: str
    password: SecretStr


class NewOrder(BaseModel):
    """An order; the card is the only one that ever sees the whole number."""

    customer: Annotated[str, Sensitive("email")]
    card: Annotated[str, Sensitive("pan"), Field(pattern=r"^[0-9 ]{12,24}$")]
    item: str
    count: Annotated[int, Field(ge=1, le=100)] = 1


class Order(BaseModel):
    """An order as clients may see it."""

    order_id: int
    item: str
    count: int
