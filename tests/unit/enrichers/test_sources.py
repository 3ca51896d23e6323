"""What built-in enrichers read from files and variables: pure functions, known contents and any content."""

import doctest
import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.enrichers import container, host, kubernetes, system

ID, OTHER = "0123456789abcdef" * 4, "fedcba9876543210" * 4
UID = "0a0b0c0d-0102-0304-0506-0708090a0b0c"
FARGATE = "cd2b9ae3c4e04e2ba0f1c5e0c0b2a1d3-2531612879"


def mount(root, point="/etc/hostname"):
    return f"1029 1025 254:1 {root} {point} rw,relatime - ext4 /dev/vda1 rw\n"


@pytest.mark.parametrize("name", ["base", "process", "host", "container", "kubernetes", "user", "system"])
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.enrichers.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"12:pids:/docker/{ID}", ID),
        (f"0::/system.slice/docker-{ID}.scope", ID),
        (f"0::/kubepods.slice/kubepods-burstable.slice/kubepods-pod1.slice/cri-containerd-{ID}.scope", ID),
        (f"11:cpu:/kubepods/burstable/pod{UID}/{ID}", ID),
        (f"0::/machine.slice/libpod-{ID}.scope/container", None),
        (f"4:cpu:/ecs/cd2b9ae3c4e04e2ba0f1c5e0c0b2a1d3/{FARGATE}", FARGATE),
        ("0::/", None),
        ("0::/user.slice/user-1000.slice/session-2.scope", None),
        (f"0::/docker/{ID[:63]}", None),
        (f"0::/docker/{ID}0", None),
    ],
)
def test_the_container_is_told_by_the_cgroup(line, found):
    assert container.id_in_cgroup(f"13:misc:/\n{line}\n") == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (mount(f"/var/lib/docker/containers/{ID}/hostname"), ID),
        (mount(f"/var/lib/docker/containers/{ID}/resolv.conf", "/etc/resolv.conf"), ID),
        (mount(f"/containers/overlay-containers/{ID}/userdata/hosts", "/etc/hosts"), ID),
        # An image's layer, a sandbox of Kubernetes, and a folder of the application.
        (mount(f"/var/lib/docker/overlay2/{OTHER}/merged", "/"), None),
        (mount(f"/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{OTHER}/hostname"), None),
        (mount(f"/srv/containers/{OTHER}/data", "/data"), None),
        ("broken\n", None),
    ],
)
def test_the_container_is_told_by_its_mounts(line, found):
    assert container.id_in_mountinfo(mount("/", "/proc") + line) == found


def test_the_cgroup_comes_before_the_mounts(tmp_path):
    assert container.attributes(tmp_path) == {}
    (tmp_path / "mountinfo").write_text(mount(f"/var/lib/docker/containers/{ID}/hostname"))
    assert container.attributes(tmp_path) == {"container.id": ID}
    (tmp_path / "cgroup").write_text(f"0::/docker/{OTHER}\n")
    assert container.attributes(tmp_path) == {"container.id": OTHER}


@given(st.text() | st.lists(st.text(max_size=20)).map(" ".join) | st.text().map(mount))
def test_no_content_is_too_odd(text):
    for parse in (container.id_in_cgroup, container.id_in_mountinfo):
        found = parse(text)
        assert found is None or found in text
    kubernetes.uid_in_mountinfo(text)
    memory, pages = system.memory_utilization(text), system.resident_pages(text)
    assert memory is None or 0.0 <= memory <= 1.0
    assert pages is None or pages >= 0


@given(st.sampled_from("0123456789abcdef").flatmap(lambda c: st.just(c * 64)), st.text("abc/-", max_size=9))
def test_an_id_is_found_behind_any_path(identifier, path):
    assert container.id_in_cgroup(f"0::/{path}/{identifier}") == identifier
    assert container.id_in_mountinfo(mount(f"/{path}/containers/{identifier}/hostname")) == identifier


def test_outside_of_kubernetes_nothing_is_told(tmp_path):
    namespace = tmp_path / "namespace"
    namespace.write_text("shop")
    assert kubernetes.attributes({"HOSTNAME": "laptop"}, namespace, tmp_path / "none") == {}


def test_the_pod_is_told_by_files_where_no_variable_does(tmp_path):
    namespace, mountinfo = tmp_path / "namespace", tmp_path / "mountinfo"
    namespace.write_text("shop\n")
    mountinfo.write_text(mount(f"/var/lib/kubelet/pods/{UID}/etc-hosts", "/etc/hosts"))
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "orders-7", "NODE_NAME": "node-1"}
    expected = {
        "k8s.pod.name": "orders-7",
        "k8s.namespace.name": "shop",
        "k8s.pod.uid": UID,
        "k8s.node.name": "node-1",
    }
    assert kubernetes.attributes(environ, namespace, mountinfo) == expected
    variables = {"POD_NAME": "a", "K8S_POD_NAME": "b", "POD_UID": "u", "POD_NAMESPACE": "n"}
    told = {"k8s.pod.name": "b", "k8s.namespace.name": "n", "k8s.pod.uid": "u"}
    assert kubernetes.attributes(environ | variables, namespace, mountinfo) == expected | told
    assert kubernetes.attributes(variables, namespace, mountinfo) == told


@pytest.mark.parametrize(
    ("machine", "word"), [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64")]
)
def test_architectures_have_the_words_of_the_conventions(machine, word):
    assert host.architecture(machine) == word


def test_load_and_memory_are_read(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable:  250 kB\nHuge: x\n")
    (tmp_path / "self" / "statm").write_text("100 3 7 1 0 9 0\n")
    found = system.attributes(tmp_path)
    assert found["system.memory.utilization"] == 0.75
    assert found["process.memory.usage"] % 3 == 0
    assert found["system.cpu.load_average.1m"] >= 0
    assert len(found) == 5
    assert len(system.attributes(tmp_path / "none")) == 3
