"""The other end of `fapilog bench`: a process that takes OTLP/HTTP requests and acknowledges them unread.

It prints its port on stdout and ends when its stdin closes, so it never outlives the command that started it.
"""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from fapilog.cli.loopback import HOST


class Acknowledge(BaseHTTPRequestHandler):
    """Reads the body, answers 200 with an empty message, keeps the connection."""

    protocol_version = "HTTP/1.1"
    # Without it the second packet of an answer waits for the acknowledgement of the first.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Acknowledge one request."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def main() -> None:
    """Serve until stdin closes."""
    with ThreadingHTTPServer((HOST, 0), Acknowledge) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write(f"{server.server_address[1]}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
