"""A real OpenSearch 3.8 on loopback, from Maven Central: one node without the security plugin.

The jars are kept in `.cache/opensearch`, by the hash of the pom. It needs Java 21 or newer.
"""

import json
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.servers.maven import JavaServerMissing, jars, java
from tests.servers.ports import free_ports

# What tests catch, and skip themselves.
OpenSearchMissing = JavaServerMissing

SOURCES = Path(__file__).parent / "opensearch_runner"
CACHE = Path(__file__).parents[2] / ".cache" / "opensearch"
OLDEST_JAVA = 21
# 4 s on an idle machine; others may build meanwhile.
START_TIMEOUT_SECONDS = 90.0


class OpenSearchError(RuntimeError):
    """It did not start; the message holds the end of what it wrote."""


class OpenSearch:
    """A running node.

    Args:
        directory: For its data; with that of an earlier one it has the earlier one's data.
        port: None: a free one.
        **settings: Of the node, with `__` for each dot.
    """

    def __init__(self, directory: Path, port: int | None = None, **settings: str) -> None:
        self._java = java(OLDEST_JAVA, "OpenSearch")
        self._jars = jars(SOURCES / "pom.xml", CACHE, "OpenSearch")
        self._directory = directory
        self._settings = [f"{name.replace('__', '.')}={value}" for name, value in settings.items()]
        self.port = port if port is not None else free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Starts it and returns when it answers.

        Raises:
            OpenSearchError: It ended, or did not answer in time.
        """
        self._directory.mkdir(exist_ok=True)
        log = self._directory / "output.log"
        command = [self._java, "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars}/*"]
        command += [str(SOURCES / "Start.java"), str(self._directory), str(self.port), *self._settings]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self._directory
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")[0] == 200:
                    return
            except OSError:
                time.sleep(0.1)
        self.kill()
        end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise OpenSearchError(f"OpenSearch did not start on port {self.port}: {end}")

    @property
    def running(self) -> bool:
        """Whether it was started and not killed."""
        return self._process is not None

    def kill(self) -> None:
        """Ends it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def ask(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> tuple[int, dict[str, str], Any]:
        """Answers status, headers (names in lower case) and content of one request; bytes go as they are."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"content-type": content_type}
        request = urllib.request.Request(self.url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, named, said = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, named, said = error.code, error.headers, error.read()
        return status, {name.lower(): value for name, value in named.items()}, json.loads(said or b"null")

    def found(self, index: str) -> list[dict[str, Any]]:
        """All documents of an index, with their ids."""
        self.ask("POST", f"/{index}/_refresh")
        query = {"size": 10_000, "query": {"match_all": {}}}
        hits: list[dict[str, Any]] = self.ask("POST", f"/{index}/_search", query)[2]["hits"]["hits"]
        return hits
