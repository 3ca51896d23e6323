"""A FastAPI service: database, background task, stream, WebSocket, outgoing call, failure, secrets.

Run it: pip install "fapilog[fastapi]", then `uvicorn fastapi_app.serve:app` in the folder above. Its code is
`fapilog_instrumentation_fastapi.shop` (instrumentation/fastapi), because `fapilog demo` serves it, too.
"""

from fapilog_instrumentation_fastapi.shop import create_app

__all__ = ["create_app"]
