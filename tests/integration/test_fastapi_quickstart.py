"""The quickstart of docs/how-to/fastapi.md, typed in as it stands there: it shows what the page says."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.contract.snippets import ROOT, snippets

PAGE = "docs/how-to/fastapi.md"


def shown() -> list[str]:
    """The lines that the page shows, without what differs from run to run."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    [block] = re.findall(r"The first terminal shows.*?```text\n(.*?)```", text, re.DOTALL)
    return block.splitlines()


def as_pattern(line: str) -> str:
    """A line of the page as an expression: time and trace id are any, `...` is anything."""
    line = re.sub(r"^\S+Z ", "TIME ", line)
    line = re.sub(r"  [0-9a-f]{8}$", "  TRACE", line)
    pattern = re.escape(line).replace(re.escape(" ... "), " .* ")
    return pattern.replace("TIME", r"\S+Z", 1).replace("TRACE", r"(?P<trace>[0-9a-f]{8})")


def test_the_quickstart_shows_what_it_says(tmp_path: Path):
    [program, *_] = snippets(PAGE)
    (tmp_path / "main.py").write_text(program.code, encoding="utf-8")
    body = json.dumps({"item": "tea", "card": "4111 1111 1111 1111"}).encode()
    headers = {"Content-Type": "application/json", "X-Correlation-ID": "order-7"}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.set_inheritable(True)
        command = [sys.executable, "-m", "uvicorn", "main:app", "--fd", str(listener.fileno())]
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as service:
            try:
                # The socket listens already, so the request waits for the service to come up.
                url = f"http://127.0.0.1:{listener.getsockname()[1]}/orders"
                request = urllib.request.Request(url, body, headers)
                with urllib.request.urlopen(request, timeout=60) as answer:
                    echoed = answer.headers["X-Correlation-ID"]
                service.terminate()
                output = service.communicate(timeout=60)[0]
            finally:
                service.kill()
    assert echoed == "order-7"
    found = [re.search(f"^{as_pattern(line)}$", output, re.MULTILINE) for line in shown()]
    assert None not in found, output
    assert len({match["trace"] for match in found if match}) == 1
    assert "uvicorn.access" not in output
    assert "4111" not in output
