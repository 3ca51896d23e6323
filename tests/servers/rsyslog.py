"""A real rsyslog on loopback, run as a user process with a configuration of its own.

An installed one is used where it is on the PATH. Otherwise Debian's packages are downloaded by `apt-get`, and
unpacked into `.cache/rsyslog`: nothing is installed, no service is started, and it needs no rights.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tests.servers.certificates import Certificates
from tests.servers.ports import free_ports

CACHE = Path(__file__).parents[2] / ".cache" / "rsyslog"
PACKAGES = ("rsyslog", "rsyslog-openssl", "libestr0", "libfastjson4")
DOWNLOAD_TIMEOUT_SECONDS = 120
START_TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.02

_CONFIGURATION = """
global(workDirectory="{directory}" maxMessageSize="{max_message_bytes}"{drivers})
module(load="imtcp"{tls})
module(load="mmpstrucdata")
template(name="all" type="list") {{ property(name="jsonmesg") constant(value="\\n") }}
ruleset(name="keep") {{
  action(type="mmpstrucdata")
  action(type="omfile" file="{output}" template="all" asyncWriting="off" flushOnTXEnd="on")
}}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")
# What it says about itself.
action(type="omfile" file="{said}")
"""


class RsyslogMissing(RuntimeError):  # noqa: N818 - it is a finding about the machine, not a failure
    """It is not installed, and cannot be downloaded."""


class RsyslogError(RuntimeError):
    """It did not start; the message holds the end of what it wrote."""


def unpacked() -> Path:
    """The folder that has it as `usr/sbin/rsyslogd`, downloaded once.

    Raises:
        RsyslogMissing: There is no `apt-get`, or it could not download the packages.
    """
    place = CACHE / "root"
    if (place / "usr" / "sbin" / "rsyslogd").exists():
        return place
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg")
    if apt is None or dpkg is None:
        raise RsyslogMissing("rsyslog is not installed, and there is no apt-get to download it")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _download(apt, dpkg, place)
    return place


def _download(apt: str, dpkg: str, place: Path) -> None:
    unfinished = place.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=unfinished,
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_TIMEOUT_SECONDS,
            check=False,
        )

    # Lists of our own: those of the machine may be missing, and are not ours to renew.
    lists = unfinished / "lists"
    (lists / "partial").mkdir(parents=True)
    own = ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={unfinished}")
    try:
        result = run(apt, "download", "-qq", *PACKAGES)
        if result.returncode != 0:
            run(apt, *own, "update", "-qq")
            result = run(apt, *own, "download", "-qq", *PACKAGES)
    except subprocess.TimeoutExpired as error:
        raise RsyslogMissing("the package index did not answer (needed to download rsyslog)") from error
    if result.returncode != 0:
        raise RsyslogMissing(f"apt-get could not download rsyslog: {result.stderr[-300:]}")
    shutil.rmtree(lists)
    for package in sorted(unfinished.glob("*.deb")):
        run(dpkg, "-x", str(package), str(unfinished)).check_returncode()
    unfinished.rename(place)


class Rsyslog:
    """A running rsyslog that writes each message, parsed, as a line of JSON.

    Args:
        directory: For its configuration and what it writes; with that of an earlier one it adds to it.
        certificates: Use TLS with the server certificate in it, and demand a client certificate.
        max_message_bytes: Longer messages are cut by it. Default: its own.
    """

    def __init__(
        self, directory: Path, certificates: Certificates | None = None, *, max_message_bytes: int = 8_192
    ) -> None:
        self._command, self._environment = _command(directory)
        self._directory = directory
        self._certificates = certificates
        self._max_message_bytes = max_message_bytes
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_ports(1)[0]

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"{'tls' if self._certificates else 'tcp'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it and returns when it listens.

        Raises:
            RsyslogError: It ended, or did not listen in time.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "rsyslog.conf").write_text(self._configuration(), encoding="utf-8")
        with (self._directory / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(POLL_SECONDS)
            else:
                return
        self.stop()
        raise RsyslogError(f"rsyslog did not start on port {self.port}: {self.said()[-2000:]}")

    def stop(self, *, kill: bool = False) -> None:
        """Ends it; with `kill` at once (SIGKILL), and what it has not written is lost."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def messages(self) -> list[dict[str, Any]]:
        """What it wrote, each message with its properties, structured data under `$!` → `rfc5424-sd`."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self._directory / "messages.json").read_text(encoding="utf-8").split("\n")
            return [json.loads(line) for line in lines[:-1]]
        return []

    def wait_until(
        self, condition: Callable[[list[dict[str, Any]]], bool], timeout_seconds: float = 30.0
    ) -> list[dict[str, Any]]:
        """Blocks until something is true of the messages, and answers them."""
        deadline = time.monotonic() + timeout_seconds
        while not condition(found := self.messages()):
            assert time.monotonic() < deadline, f"{len(found)} messages; {self.said()[-500:]}"
            time.sleep(POLL_SECONDS)
        return found

    def said(self) -> str:
        """What it said about itself."""
        found = (self._directory / name for name in ("said.log", "output.log"))
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in found if path.exists())

    def _configuration(self) -> str:
        drivers = tls = ""
        if (files := self._certificates) is not None:
            drivers = (
                f' defaultNetstreamDriverCAFile="{files.ca}" defaultNetstreamDriver="ossl"'
                f' defaultNetstreamDriverCertFile="{files.server_certificate}"'
                f' defaultNetstreamDriverKeyFile="{files.server_key}"'
            )
            tls = ' streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/certvalid"'
        return _CONFIGURATION.format(
            directory=self._directory,
            max_message_bytes=self._max_message_bytes,
            drivers=drivers,
            tls=tls,
            output=self._directory / "messages.json",
            said=self._directory / "said.log",
            port=self.port,
        )


def _command(directory: Path) -> tuple[list[str], dict[str, str]]:
    options = ["-n", "-f", str(directory / "rsyslog.conf"), "-i", str(directory / "rsyslog.pid")]
    environment = dict(os.environ)
    found = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is not None:
        return [found, *options], environment
    root = unpacked()
    modules = next((root / "usr" / "lib").glob("*/rsyslog"))
    environment["LD_LIBRARY_PATH"] = str(modules.parent)
    return [str(root / "usr" / "sbin" / "rsyslogd"), *options, "-M", str(modules)], environment
