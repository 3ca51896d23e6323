"""Stage 6 of 7, export: what exporters of other packages need to speak HTTP. Threads: delivery loop, workers.

| name | what it is |
|---|---|
| `HttpClient` | posts without the interpreter lock: TLS, kept connections, proxies |
| `HttpError` | why there is no answer |
| `run_aside` | a call that blocks, in a daemon thread that no end of the interpreter waits for |
| `retry_after_millis` | the pause that a header asks for |
| `sent_secrets`, `without` | hide what was sent in what a server answers |
| `shown` | the beginning of a text, in one line that cannot forge another |
"""

from __future__ import annotations

from fapilog._native import HttpClient, HttpError
from fapilog.exporters.masking import sent_secrets, without
from fapilog.exporters.posting import retry_after_millis
from fapilog.exporters.requests import shown
from fapilog.exporters.worker import run_aside

__all__ = [
    "HttpClient",
    "HttpError",
    "retry_after_millis",
    "run_aside",
    "sent_secrets",
    "shown",
    "without",
]
