"""A collector of Splunk events that takes everything and counts it: `python -m benchmarks.null_hec`.

Prints its port. A POST is unpacked, its events are counted, and the answer is Splunk's; a GET asks how many
there are. One thread for each connection; nothing is parsed beyond that.
"""

from __future__ import annotations

import re
import socket
import threading
import zlib
from itertools import count

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"transfer-encoding: *chunked", re.IGNORECASE)
EVENT = b'"event":"order placed"'
seen = [0]
lock = threading.Lock()


def serve(connection: socket.socket) -> None:
    """Answer the requests of one connection."""
    file = connection.makefile("rb")
    for _ in count():
        head = b"".join(iter(file.readline, b"\r\n"))
        if not head:
            return
        said = b'{"text":"Success","code":0}'
        if head.startswith(b"GET"):
            said = str(seen[0]).encode()
        else:
            take(read_body(head, file), packed=b"gzip" in head.lower().partition(b"content-encoding")[2][:10])
        connection.sendall(ANSWER % (len(said), said))


def read_body(head: bytes, file: socket.SocketIO) -> bytes:
    """Read a body, as long as its head says or in chunks."""
    length = LENGTH.search(head)
    if length is not None:
        return file.read(int(length[1])) or b""
    parts = []
    while CHUNKED.search(head) and (size := int(file.readline(), 16)):
        parts.append(file.read(size) or b"")
        file.readline()
    if parts:
        file.readline()
    return b"".join(parts)


def take(body: bytes, *, packed: bool) -> None:
    """Count the events of a request."""
    if packed:
        body = zlib.decompress(body, 16 + zlib.MAX_WBITS)
    found = body.count(EVENT)
    with lock:
        seen[0] += found


def main() -> None:
    """Serve until it is ended."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=64)
    print(listening.getsockname()[1], flush=True)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
