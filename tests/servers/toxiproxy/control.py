"""Runs toxiproxy on loopback and tells it, over its HTTP API, how its proxies are to misbehave."""

import http.client
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

from tests.servers.ports import free_ports

START_TIMEOUT_SECONDS = 20.0
START_ATTEMPTS = 3
POLL_SECONDS = 0.02
LOOPBACK = "127.0.0.1"
# From the client to the server; and back.
Stream = Literal["upstream", "downstream"]


class ToxiproxyError(RuntimeError):
    """Toxiproxy did not start, or refused what it was told; the message holds what it said."""


class Toxiproxy:
    """A running toxiproxy.

    Args:
        binary: The path that `tests.servers.toxiproxy.build.build` answers.
    """

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._names = itertools.count()

    def __enter__(self) -> Self:
        for attempt in range(1, START_ATTEMPTS + 1):
            (self._port,) = free_ports(1)
            # It writes a line per connection; what it has to say about commands is in the answers.
            self._process = subprocess.Popen(
                [str(self._binary), str(self._port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                self._wait_until_ready()
            except ToxiproxyError:
                self.__exit__()
                if attempt == START_ATTEMPTS:
                    raise
            else:
                break
        return self

    def __exit__(self, *error: object) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @contextmanager
    def proxy(self, upstream_port: int) -> Iterator["Proxy"]:
        """A proxy in front of a port of this machine, gone after the block together with its connections."""
        name = f"proxy-{next(self._names)}"
        made = self.make(name, 0, upstream_port)
        proxy = Proxy(self, name, int(made["listen"].rpartition(":")[2]))
        try:
            yield proxy
        finally:
            self.ask("DELETE", f"/proxies/{name}")

    def make(self, name: str, port: int, upstream_port: int) -> Any:
        """Makes a proxy and answers what toxiproxy says about it."""
        wanted = {"name": name, "listen": f"{LOOPBACK}:{port}", "upstream": f"{LOOPBACK}:{upstream_port}"}
        return self.ask("POST", "/proxies", wanted)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Speaks to the API once and answers what it says.

        Raises:
            ToxiproxyError: It said no.
        """
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=10)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        if response.status >= 300:
            raise ToxiproxyError(f"{method} {path}: {response.status} {text.decode(errors='replace')}")
        return json.loads(text) if text else None

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            status = self._process.poll()
            if status is not None:
                raise ToxiproxyError(f"toxiproxy ended with status {status}")
            try:
                self.ask("GET", "/version")
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ToxiproxyError(f"no answer within {START_TIMEOUT_SECONDS} s: {error}") from error
                time.sleep(POLL_SECONDS)
            except json.JSONDecodeError:
                return  # the version is plain text
            else:
                return


class Proxy:
    """One proxy: good until it is told otherwise."""

    def __init__(self, server: Toxiproxy, name: str, port: int) -> None:
        self._server = server
        self._name = name
        self._path = f"/proxies/{name}"
        self.port = port

    def add(self, kind: str, stream: Stream, **attributes: int) -> None:
        """Adds a toxic (https://github.com/Shopify/toxiproxy#toxics), for open connections too."""
        toxic = {"name": f"{kind}-{stream}", "type": kind, "stream": stream, "attributes": attributes}
        self._server.ask("POST", f"{self._path}/toxics", toxic)

    def connect_to(self, upstream_port: int) -> None:
        """Begins anew in front of a port: connections are cut, toxics are gone with what they held."""
        # Not toxic by toxic: what passes between two of them meets half a fault, and to take one away from a
        # connection that is stuck takes toxiproxy 5 s, or for ever (link.go, `RemoveToxic`).
        self._server.ask("DELETE", self._path)
        self._server.make(self._name, self.port, upstream_port)

    def refuse(self) -> None:
        """Refuses new connections and cuts the open ones."""
        self._update(enabled=False)

    def listen(self) -> None:
        """Ends what `refuse` began, on the same port."""
        self._update(enabled=True)

    def _update(self, **changes: Any) -> None:
        self._server.ask("POST", self._path, changes)
