"""A WSGI application without a framework that configures nothing; served by gunicorn's sync workers."""

import json
import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace

import fapilog

log = fapilog.get_logger("served")
tracer = trace.get_tracer("served")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    number = int(environ["PATH_INFO"].rpartition("/")[2])
    with tracer.start_as_current_span("order"):
        log.info("order", number=number, process=os.getpid())
        logging.getLogger("legacy").info("order %d", number)
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({"number": number, "process": os.getpid()}).encode()]
