"""The workloads, written once, so that every library logs the same thing."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

MESSAGE = "order placed"

# One attribute of every common type. The values are what a web service logs for one request.
FIVE: dict[str, Any] = {
    "user_id": 42,
    "path": "/api/v1/orders",
    "status": 200,
    "duration_ms": 12.5,
    "region": "eu-west-1",
}
TEN: dict[str, Any] = {
    **FIVE,
    "method": "POST",
    "bytes_sent": 5120,
    "cached": False,
    "client": "203.0.113.7",
    "attempt": 1,
}
BOUND: dict[str, Any] = {"tenant": "acme", "request_id": "r-1", "shard": 7}


@dataclass(frozen=True)
class Scenario:
    """One way of calling a logger.

    Attributes:
        name: Key in the results.
        title: Column heading in the report.
        attributes: Attributes given at the call.
        bound: Attributes bound to the logger before.
        level: Method that is called: `info`, `debug` (below the configured level) or `exception`.
    """

    name: str
    title: str
    attributes: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)
    level: str = "info"


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("five", "5 attributes", FIVE),
    Scenario("none", "no attributes"),
    Scenario("ten", "10 attributes", TEN),
    Scenario("bound", "5 attributes, 3 bound", FIVE, bound=BOUND),
    Scenario("disabled", "disabled level", FIVE, level="debug"),
    Scenario("exception", "exception", FIVE, level="exception"),
)
# Where values are scanned: one of them is found.
CARD = Scenario("card", "5 attributes, one a card number", {**FIVE, "region": "card 5105 1051 0510 5100"})
BY_NAME: dict[str, Scenario] = {scenario.name: scenario for scenario in (*SCENARIOS, CARD)}

ROW_COUNT = 1024
Values = tuple[int, str, int, float, str]


def varied_rows() -> list[Values]:
    """Return `ROW_COUNT` different values of the five attributes, the same in every process.

    Streams use these instead of constants: a repeated record would compress far better than real ones do.
    """
    chance = random.Random(1)
    paths = ("/api/v1/orders", "/api/v1/users/42", "/api/v1/cart", "/healthz", "/api/v1/search")
    regions = ("eu-west-1", "eu-central-1", "us-east-1")
    return [
        (
            chance.randrange(2_000_003),
            chance.choice(paths),
            chance.choice((200, 200, 200, 201, 404, 503)),
            round(chance.expovariate(1 / 35), 3),
            chance.choice(regions),
        )
        for _ in range(ROW_COUNT)
    ]
