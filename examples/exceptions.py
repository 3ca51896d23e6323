"""An exception in a record: its type, its message, and the stack of the whole chain."""

import fapilog

fapilog.configure_otel(service_name="orders")
log = fapilog.get_logger("orders")


class OrderError(Exception):
    """An order that cannot be placed."""


def place(quantity: str) -> int:
    """Turn the cause into an error of our own."""
    try:
        return int(quantity)
    except ValueError as cause:
        raise OrderError("not a number of cups") from cause


try:
    place("many")
except OrderError as error:
    log.exception("order refused", order_id=42)  # inside `except`: the exception being handled
    kept = error

log.warning("trying again later", exc_info=kept)  # anywhere: an exception that you hold
