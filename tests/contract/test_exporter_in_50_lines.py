"""The page says 50 lines: the exporter on it has no more, and holds what delivery relies on."""

import ast
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fapilog.cli.main import app
from fapilog.testing import ExporterConformance

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "write_an_exporter.md"
LINES = 50


def exporter_of_the_page() -> str:
    """Return the source from the first import to the end of the class."""
    match = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert match is not None
    [last, *_] = [node for node in ast.parse(match.group(1)).body if isinstance(node, ast.ClassDef)]
    return "\n".join(match.group(1).splitlines()[: last.end_lineno])


def test_the_exporter_has_at_most_as_many_lines_as_the_title_says():
    assert PAGE.read_text(encoding="utf-8").startswith(f"# Write an exporter in {LINES} lines\n")
    assert len(exporter_of_the_page().splitlines()) <= LINES


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).splitlines()
        self.server.received += 0 if self.server.broken else len(lines)
        self.send_response(503 if self.server.broken else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.received, running.broken = 0, False
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join(10)


class TestTheExporterOfThePage(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _server(self, server):
        self.server = server

    def make_exporter(self):
        names = {}
        exec(exporter_of_the_page(), names)
        return names["LineServer"](f"http://127.0.0.1:{self.server.server_port}/")

    def received(self):
        return self.server.received

    def break_destination(self):
        self.server.broken = True


def test_the_package_of_the_page_is_valid(server, tmp_path, monkeypatch):
    [project] = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "pyproject.toml").write_text(project)
    (tmp_path / "line_server.py").write_text(exporter_of_the_page())
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("LINE_SERVER_URL", f"http://127.0.0.1:{server.server_port}/")
    done = CliRunner().invoke(app, ["plugins", "validate", str(tmp_path), "--live", "--json"])
    sys.modules.pop("line_server", None)
    assert done.exit_code == 0, done.output
    checks = {each["what"]: each["status"] for each in json.loads(done.stdout)}
    assert {what for what, status in checks.items() if status != "passed"} == {
        # Nobody can break the destination of a stranger.
        "a failing destination is an outcome that accounts for every record",
        "behind a provider a failing destination never raises",
    }
    assert server.received > 100
