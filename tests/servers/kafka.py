"""A real Kafka 4.1 on loopback, from Maven Central: one broker that is its own controller.

The jars are kept in `.cache/kafka`, by the hash of the pom. It needs Java 17 or newer.
"""

import base64
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from confluent_kafka.admin import AdminClient, NewTopic

from tests.servers.certificates import Certificates
from tests.servers.kafka_reading import Read, read_topic
from tests.servers.maven import jars, java
from tests.servers.ports import free_ports

SOURCES = Path(__file__).parent / "kafka_broker"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"
OLDEST_JAVA = 17
# 2 s on an idle machine; others may build meanwhile.
START_TIMEOUT_SECONDS = 150.0
STOP_TIMEOUT_SECONDS = 30.0
ANSWER_SECONDS = 30.0
USER, PASSWORD = "orders", "correct-horse-battery"
_JAVA_OPTIONS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class KafkaError(RuntimeError):
    """It did not start; the message holds the end of what it wrote."""


class KafkaBroker:
    """A running broker.

    Args:
        directory: For its data.
        certificates: Of a listener for TLS, and of one for TLS with logins; None: plain alone.
        properties: Of the broker, beside those below.
        proxy_port: What it tells clients of `proxied_port`, where it listens too: a proxy's port.
    """

    def __init__(
        self,
        directory: Path,
        certificates: Certificates | None = None,
        properties: Mapping[str, str] | None = None,
        proxy_port: int | None = None,
    ) -> None:
        self._java = java(OLDEST_JAVA, "Kafka")
        self._jars = jars(SOURCES / "pom.xml", CACHE, "Kafka")
        self._directory = directory
        self._certificates = certificates
        self._properties = properties or {}
        self._proxy_port = proxy_port
        self.port, self._controller_port, self.tls_port, self.login_port, self.proxied_port = free_ports(5)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens, without TLS."""
        return f"127.0.0.1:{self.port}"

    @property
    def tls_address(self) -> str:
        """Where it listens for TLS; it asks for a client's certificate, and needs none."""
        return f"127.0.0.1:{self.tls_port}"

    @property
    def login_address(self) -> str:
        """Where it listens for TLS and a login: `USER` and `PASSWORD`."""
        return f"127.0.0.1:{self.login_port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, with the data that it had, and return when it answers.

        Raises:
            KafkaError: It ended, or did not answer in time.
        """
        self._directory.mkdir(exist_ok=True)
        configuration = self._directory / "server.properties"
        if not configuration.exists():
            lines = [f"{name}={value}" for name, value in self._configuration().items()]
            configuration.write_text("\n".join(lines))
            cluster = base64.urlsafe_b64encode(uuid4().bytes).decode().rstrip("=").replace("-", "_")
            scram = f"SCRAM-SHA-256=[name={USER},password={PASSWORD}]"
            options = [
                "format",
                "--standalone",
                "-t",
                cluster,
                "-c",
                str(configuration),
                "--add-scram",
                scram,
            ]
            self._run("kafka.tools.StorageTool", *options).wait()
        self._process = self._run("kafka.Kafka", str(configuration))
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if _accepts(self.port) and self._answers():
                return
            time.sleep(0.05)
        self.kill()
        raise KafkaError(f"Kafka did not start on port {self.port}: {self.written()}")

    @property
    def running(self) -> bool:
        """Whether it was started and not ended."""
        return self._process is not None

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        """End it in an orderly way (SIGTERM)."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def written(self) -> str:
        """The end of what it wrote about itself."""
        return (self._directory / "output.log").read_text(encoding="utf-8", errors="replace")[-3000:]

    def admin(self) -> Any:
        """A client for its administration; the plain listener may do everything."""
        return AdminClient({"bootstrap.servers": self.address, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """Make a topic; `__` stands for the dots of its settings."""
        named = {key.replace("__", "."): value for key, value in config.items()}
        topic = NewTopic(name, partitions, 1, config=named)
        admin = self.admin()  # which must live until the answer
        admin.create_topics([topic])[name].result(ANSWER_SECONDS)

    def messages(self, topic: str) -> list[Read]:
        """What a topic holds."""
        return read_topic([self.address], topic)

    def _answers(self) -> bool:
        try:
            return bool(self.admin().list_topics(timeout=2.0).brokers)
        except Exception:  # not yet, whatever it is
            return False

    def _run(self, *command: str) -> "subprocess.Popen[bytes]":
        whole = [self._java, *_JAVA_OPTIONS, "-cp", f"{self._jars}/*", *command]
        with (self._directory / "output.log").open("ab") as output:
            return subprocess.Popen(
                whole, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self._directory
            )

    def _configuration(self) -> dict[str, str]:
        listeners = {"PLAINTEXT": self.port}
        if self._certificates is not None:
            listeners |= {"SSL": self.tls_port, "SASL_SSL": self.login_port}
        told = dict(listeners)
        if self._proxy_port is not None:
            listeners["PROXIED"], told["PROXIED"] = self.proxied_port, self._proxy_port
        listened, advertised = (
            ",".join(f"{name}://127.0.0.1:{port}" for name, port in each.items())
            for each in (listeners, told)
        )
        plain = {"CONTROLLER": "PLAINTEXT", "PROXIED": "PLAINTEXT"}
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "listeners": f"{listened},CONTROLLER://127.0.0.1:{self._controller_port}",
            "advertised.listeners": advertised,
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(
                f"{name}:{plain.get(name, name)}" for name in [*listeners, "CONTROLLER"]
            ),
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{self._controller_port}",
            "log.dirs": str(self._directory / "data"),
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "1",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            **(self._secured() if self._certificates is not None else {}),
            **self._properties,
        }

    def _secured(self) -> dict[str, str]:
        certificates = self._certificates
        assert certificates is not None
        both = self._directory / "server.pem"
        both.write_bytes(certificates.server_key.read_bytes() + certificates.server_certificate.read_bytes())
        module = "org.apache.kafka.common.security"
        plain = f'{module}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
        # Tokens without a signature, which only tests may take.
        oauth = (
            f'{module}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="{USER}";'
        )
        scram = f"{module}.scram.ScramLoginModule required;"
        return {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(certificates.ca),
            "ssl.client.auth": "requested",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,OAUTHBEARER",
            "listener.name.sasl_ssl.plain.sasl.jaas.config": plain,
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": scram,
            "listener.name.sasl_ssl.oauthbearer.sasl.jaas.config": oauth,
        }


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
