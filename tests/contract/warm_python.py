"""Runs programs in forks of one interpreter that has imported what they import: most of a short one's cost.

A program gets a process, a `__main__`, arguments, an environment, a folder and an end of its own, as from the
command line: what it leaves behind dies with it. Some modules are imported already; that is the difference.
"""

import functools
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_IMPORTED = ("fapilog.telemetry", "fapilog.testing", "fastapi.testclient")
_REQUEST_BYTES = 1 << 20


class WarmPython:
    """The warm interpreter of this test process; it ends with it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        names = ("OTEL_", "FAPILOG_", "COVERAGE_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.contract.warm_python", str(theirs.fileno())],
                cwd=ROOT,
                env=environment | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )

    def run(
        self, arguments: list[str], folder: Path, environment: dict[str, str], timeout_seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run `-c CODE`, `-m MODULE` or `FILE` with arguments; output and errors are one text."""
        self._socket.settimeout(timeout_seconds)
        request = {"arguments": arguments, "folder": str(folder), "environment": environment}
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            socket.send_fds(self._socket, [json.dumps(request).encode()], [output.fileno()])
            pid = int(self._socket.recv(64))
            try:
                status = int(self._socket.recv(64))
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                self._socket.recv(64)
                raise
            output.seek(0)
            return subprocess.CompletedProcess(arguments, status, output.read())


@functools.cache
def warm_python() -> WarmPython:
    """The one of this process."""
    return WarmPython()


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request: returns the request in the child, and nothing in the parent at the end."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 1)
        if not message:
            return None
        [output] = descriptors
        child = os.fork()
        if child == 0:
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            requests.close()
            told: dict[str, Any] = json.loads(message)
            return told
        os.close(output)
        requests.send(str(child).encode())
        requests.send(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).encode())


def _become(told: dict[str, Any]) -> None:
    """Run the program as `__main__`, as the interpreter does that is started with these arguments."""
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    match told["arguments"]:
        case ["-c", code, *rest]:
            sys.argv, sys.path[0] = ["-c", *rest], ""
            main = types.ModuleType("__main__")
            sys.modules["__main__"] = main
            exec(compile(code, "<string>", "exec"), main.__dict__)
        case ["-m", module, *rest]:
            sys.argv, sys.path[0] = [module, *rest], told["folder"]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [path, *rest]:
            sys.argv, sys.path[0] = [path, *rest], str(Path(path).resolve().parent)
            runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    for _name in _IMPORTED:
        __import__(_name)
    # Otherwise each fork would collect them at its end, and copy them for that.
    gc.collect()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as _requests:
        _told = _serve(_requests)
    if _told is not None:
        _become(_told)
