"""What `deploy/` holds fits together and fits fapilog; checked without a network, an image or a cluster."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import fapilog
from fapilog.settings.variables import VARIABLE_NAMES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
MIB = 1_048_576
QUANTITIES = {"Mi": MIB, "Gi": 1_024 * MIB}
# Of uvicorn: how long it waits for requests in flight.
GRACEFUL_SECONDS = 10


def environment(path: Path) -> dict[str, str]:
    """The variables of a file of `NAME=value` lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def documents(name: str) -> list[dict[str, Any]]:
    """The objects of a manifest."""
    return list(yaml.safe_load_all((KUBERNETES / name).read_text(encoding="utf-8")))


def workload(name: str) -> dict[str, Any]:
    """The StatefulSet of a manifest."""
    [found] = [document for document in documents(name) if document["kind"] == "StatefulSet"]
    return found


def container(name: str) -> dict[str, Any]:
    """The container of a manifest's pods."""
    [found] = workload(name)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def quantity(text: str) -> int:
    """A quantity of Kubernetes in bytes."""
    return int(text[:-2]) * QUANTITIES[text[-2:]]


def instructions() -> list[tuple[str, str]]:
    """Word and rest of each instruction in the Dockerfile, continued lines joined."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text(encoding="utf-8")
    joined = "\n".join(line for line in text.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    pairs = (line.split(maxsplit=1) for line in joined.splitlines() if line.strip())
    return [(word, " ".join(rest.split())) for word, rest in pairs]


def image_environment() -> dict[str, str]:
    """The variables that the image sets."""
    words = (word for name, rest in instructions() if name == "ENV" for word in shlex.split(rest))
    return dict(word.split("=", 1) for word in words)


ENVIRONMENTS = {
    "image": image_environment(),
    "kubernetes": environment(KUBERNETES / "orders.env"),
    "systemd": environment(DEPLOY / "systemd" / "orders.env"),
}
MANIFESTS = ["orders.yaml", "gateway.yaml"]


# Variables


@pytest.mark.parametrize("place", ENVIRONMENTS)
def test_the_variables_exist_and_their_values_are_accepted(place: str):
    ours = {
        name: value for name, value in ENVIRONMENTS[place].items() if name.startswith(("FAPILOG_", "OTEL_"))
    }
    # The service's name is OpenTelemetry's own variable, read with the resource.
    assert {name for name in ours if name.startswith("FAPILOG_")} - set(VARIABLE_NAMES) == set()
    settings = fapilog.Settings.load(environ=ours)
    assert settings.exporters == ("otlp",)
    assert settings.spool.directory == Path("/var/lib/orders/spool")
    # What a call returned from survives the container, not only the process.
    assert (settings.durability, settings.ring.directory) == ("process", Path("/var/lib/orders/ring"))


# Docker


def test_the_image_copies_only_files_that_exist():
    for word, rest in instructions():
        if word == "COPY" and not rest.startswith("--from"):
            sources = rest.split()[:-1]
            assert [source for source in sources if not (ROOT / source).exists()] == []


def test_the_image_does_not_run_as_root_and_passes_signals_on():
    words = dict(instructions())
    assert words["USER"] == "10001:10001"
    assert words["CMD"].startswith('["uvicorn"')
    assert "ENTRYPOINT" not in words


def test_the_spool_of_the_image_lies_on_a_volume():
    words = dict(instructions())
    [volume] = yaml.safe_load(words["VOLUME"])
    for variable in ("FAPILOG_SPOOL_DIRECTORY", "FAPILOG_RING_DIRECTORY"):
        assert Path(volume) in Path(ENVIRONMENTS["image"][variable]).parents


def test_the_service_of_the_image_answers_and_delivers(tmp_path: Path):
    program = """
import runpy, sys
from fapilog.testing import OtlpReceiver
from fastapi.testclient import TestClient
import os
with OtlpReceiver() as receiver:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.endpoint
    service = runpy.run_path(sys.argv[1])
    client = TestClient(service["app"])
    print(client.get("/orders/7").json(), client.get("/healthz").json())
    print(service["telemetry"].shutdown(10_000))
    print([record.body for record in receiver.log_records if "order_id" in record.attributes])
"""
    variables = ENVIRONMENTS["image"] | {
        "FAPILOG_SPOOL_DIRECTORY": str(tmp_path / "spool"),
        "FAPILOG_RING_DIRECTORY": str(tmp_path / "ring"),
    }
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "python", "-c", program, DEPLOY / "docker" / "orders.py"],
        env=variables | {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "{'order_id': 7} {'telemetry': 'ok'}",
        "True",
        "['order read']",
    ], done.stderr


# Kubernetes


@pytest.mark.parametrize("name", MANIFESTS)
def test_selectors_find_the_pods_and_every_volume_is_there(name: str):
    by_kind = {document["kind"]: document["spec"] for document in documents(name)}
    pods = by_kind["StatefulSet"]["template"]
    labels = pods["metadata"]["labels"]
    assert by_kind["Service"]["selector"] == labels
    assert by_kind["PodDisruptionBudget"]["selector"]["matchLabels"] == labels
    assert by_kind["StatefulSet"]["selector"]["matchLabels"] == labels
    claimed = {claim["metadata"]["name"] for claim in by_kind["StatefulSet"]["volumeClaimTemplates"]}
    declared = {volume["name"] for volume in pods["spec"]["volumes"]}
    assert {mount["name"] for mount in container(name)["volumeMounts"]} == claimed | declared
    ports = {port["name"] for port in container(name)["ports"]}
    assert {port["targetPort"] for port in by_kind["Service"]["ports"]} <= ports
    for probe in ("readinessProbe", "livenessProbe"):
        [(_, how)] = [item for item in container(name)[probe].items() if isinstance(item[1], dict)]
        assert how["port"] in ports


@pytest.mark.parametrize("name", MANIFESTS)
def test_pods_run_without_rights(name: str):
    pod = workload(name)["spec"]["template"]["spec"]
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    assert container(name)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert set(container(name)["resources"]) == {"requests", "limits"}


def test_the_configuration_maps_that_pods_name_are_generated():
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text(encoding="utf-8"))
    files = {path.name for path in KUBERNETES.iterdir()}
    assert set(kustomization["resources"]) <= files
    generated = {generator["name"]: generator for generator in kustomization["configMapGenerator"]}
    [source] = container("orders.yaml")["envFrom"]
    assert generated[source["configMapRef"]["name"]]["envs"] == ["orders.env"]
    [config] = workload("gateway.yaml")["spec"]["template"]["spec"]["volumes"]
    [file] = generated[config["configMap"]["name"]]["files"]
    assert container("gateway.yaml")["args"] == [f"--config=/etc/collector/{file}"]


def test_the_spool_lies_on_a_volume_that_holds_it():
    variables = ENVIRONMENTS["kubernetes"]
    [mount] = [mount for mount in container("orders.yaml")["volumeMounts"] if mount["name"] == "spool"]
    for variable in ("FAPILOG_SPOOL_DIRECTORY", "FAPILOG_RING_DIRECTORY"):
        assert Path(mount["mountPath"]) in Path(variables[variable]).parents
    [claim] = workload("orders.yaml")["spec"]["volumeClaimTemplates"]
    room = quantity(claim["spec"]["resources"]["requests"]["storage"])
    taken = int(variables["FAPILOG_SPOOL_BYTES"]) + int(variables["FAPILOG_SPOOL_MIN_FREE_BYTES"])
    # A ring that an ended process left, and that of the one which takes it over.
    assert taken + 2 * int(variables["FAPILOG_RING_BYTES"]) <= room * 0.9


def test_the_grace_period_of_a_pod_covers_what_ends_in_it():
    pod = workload("orders.yaml")["spec"]["template"]["spec"]
    [*_, rest] = container("orders.yaml")["lifecycle"]["preStop"]["exec"]["command"]
    flush = int(ENVIRONMENTS["kubernetes"]["FAPILOG_SHUTDOWN_TIMEOUT_MILLIS"]) / 1_000
    assert pod["terminationGracePeriodSeconds"] >= int(rest) + GRACEFUL_SECONDS + flush + 5


def test_the_endpoint_is_the_gateway():
    [service] = [document for document in documents("gateway.yaml") if document["kind"] == "Service"]
    port = next(port["port"] for port in service["spec"]["ports"] if port["name"] == "otlp-http")
    endpoint = f"http://{service['metadata']['name']}:{port}"
    assert ENVIRONMENTS["kubernetes"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == endpoint


def test_the_collector_takes_its_configuration(collector_binary: Path, tmp_path: Path):
    variables = {item["name"]: item["value"] for item in container("gateway.yaml")["env"]}
    done = subprocess.run(
        [collector_binary, "validate", f"--config={KUBERNETES / 'gateway-config.yaml'}"],
        env=variables | {"COLLECTOR_STORAGE": str(tmp_path / "queue"), "COLLECTOR_LISTEN": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_collector_stores_before_it_answers():
    config = yaml.safe_load((KUBERNETES / "gateway-config.yaml").read_text(encoding="utf-8"))
    assert config["exporters"]["otlphttp"]["sending_queue"]["storage"] in config["service"]["extensions"]
    assert [name for name, line in config["service"]["pipelines"].items() if "processors" in line] == []


# systemd


def unit() -> dict[str, str]:
    """The settings of the unit, whatever their section."""
    text = (DEPLOY / "systemd" / "orders.service").read_text(encoding="utf-8")
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_the_unit_keeps_the_spool_and_gives_the_end_its_time():
    variables = ENVIRONMENTS["systemd"]
    assert Path("/var/lib", unit()["StateDirectory"]) in Path(variables["FAPILOG_SPOOL_DIRECTORY"]).parents
    flush = int(variables["FAPILOG_SHUTDOWN_TIMEOUT_MILLIS"]) / 1_000
    assert int(unit()["TimeoutStopSec"]) >= GRACEFUL_SECONDS + flush + 5
    assert "KillMode" not in unit()


def test_systemd_takes_the_unit(tmp_path: Path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed here")
    text = (DEPLOY / "systemd" / "orders.service").read_text(encoding="utf-8")
    # The program and its user exist where the unit is installed.
    copy = tmp_path / "orders.service"
    copy.write_text(text.replace("/opt/orders/bin/uvicorn", "/bin/true"), encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", copy], capture_output=True, text=True, timeout=60, check=False
    )
    complaints = [line for line in done.stderr.splitlines() if "orders.service" in line]
    assert (done.returncode, complaints) == (0, [])
