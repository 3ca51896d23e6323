"""`health_router`: whether the process lives, and how its log pipeline is doing, on request.

A probe asks every few seconds, so it costs no thread, no span of ours and no access record. What it answers
are states and counts, never a record, an address or a setting. Threads: the event loop's.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from fapilog import Telemetry, current_telemetry
from fapilog_instrumentation_fastapi.plan import OPTIONS_ATTRIBUTE
from fapilog_instrumentation_fastapi.settings import Health, RequestLogging

# Answers of proxies between, kept for later, would be about another moment.
_HEADERS = {"cache-control": "no-store"}
_ALIVE = b'{"status":"ok"}'
_NO_RECORD = {"access": {"enabled": False}}


def health_router(telemetry: Telemetry | None = None, **options: Any) -> APIRouter:
    """Return a router that answers whether the process lives, and how its log pipeline is doing.

    `/healthz` answers 200 and `{"status": "ok"}`. `/readyz` answers 200, or 503 in the states of
    `unready_when`:

        {"status": "ready", "pipeline": {"status": "ok", "buffer_bytes": 0, "buffer_limit_bytes": 67108864,
         "shedding_below": 0, "pending": 0, "lost": 0, "violations": 0}}

    The fields are those of `fapilog.Telemetry.health()`; before anything was configured the pipeline's only
    field is its status, `unconfigured`. By default these requests have no access record, and the routes are
    not in the OpenAPI schema.

    Args:
        telemetry: Whose health. Default: the one that the process is configured with when it is asked.
        **options: Fields of the group `health` of `RequestLogging`, which win over the environment
            (FAPILOG_FASTAPI_HEALTH_*).

    Raises:
        ConfigurationError: If an option is wrong.

    Example:
        >>> from fastapi import FastAPI
        >>> app = FastAPI()
        >>> app.include_router(health_router(live_path=None))
    """
    settings: Health = RequestLogging.load(health=options).health
    router = APIRouter(tags=["health"], include_in_schema=settings.in_schema)

    async def live() -> Response:
        """Tell that the process serves requests."""
        return Response(_ALIVE, media_type="application/json", headers=_HEADERS)

    async def ready() -> JSONResponse:
        """Tell how the log pipeline is doing."""
        asked = telemetry if telemetry is not None else current_telemetry()
        pipeline = {"status": "unconfigured"} if asked is None else asdict(asked.health())
        is_ready = pipeline["status"] not in settings.unready_when
        answer = {"status": "ready" if is_ready else "unready", "pipeline": pipeline}
        return JSONResponse(answer, 200 if is_ready else 503, headers=_HEADERS)

    for path, endpoint in ((settings.live_path, live), (settings.ready_path, ready)):
        if path is None:
            continue
        if not settings.access:
            setattr(endpoint, OPTIONS_ATTRIBUTE, _NO_RECORD)
        router.add_api_route(path, endpoint, methods=["GET"])
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)
    return router
