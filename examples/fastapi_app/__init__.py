"""A small shop with FastAPI: database, background task, stream, WebSocket, outgoing call, failure, secrets.

Run it: pip install "fapilog[fastapi]", then `uvicorn fastapi_app.serve:app` in the folder above. What reaches
a collector has the trace id and the correlation id of its request, and no card, password or e-mail address.
"""

from .application import create_app

__all__ = ["create_app"]
