"""A small shop with FastAPI: database, background task, stream, WebSocket, outgoing call, failure, secrets.

`fapilog demo` serves it, `examples/fastapi_app` runs it by itself, and the tests ask it for everything. What
reaches a collector has the trace id and the correlation id of its request, and no card, password, e-mail
address or credentials of a database.
"""

from .application import create_app

__all__ = ["create_app"]
