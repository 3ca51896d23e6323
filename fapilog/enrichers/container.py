"""Built-in enricher `container`: `container.id`, an attribute of the resource, from what Linux shows.

Two files tell it, both written by the kernel for the container's runtime: the cgroup's path, where the
container sees it, and else the mounts of `/etc/hostname` and its neighbours. A Kubernetes sandbox has an id
too, which is not the container's.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from fapilog.enrichers.base import Source
from fapilog.settings import Settings

_PROC = Path("/proc/self")
# 64 hexadecimal digits (Docker, containerd, CRI-O, Podman), or what Amazon's Fargate gives.
_ID = r"(?P<id>[0-9a-f]{64}|[0-9a-f]{32}-[0-9]{6,})"
_IN_CGROUP = re.compile(rf"(?:^|[/:-]){_ID}(?:\.scope)?$")
_IN_MOUNT = re.compile(rf"containers?/{_ID}/")
_FILES_OF_CONTAINERS = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


def source(_settings: Settings) -> Source:
    """Make the enricher."""
    return Source("container", describe=attributes)


def attributes(proc: Path = _PROC) -> dict[str, str]:
    """Return the id of the container that this process runs in; nothing outside of one."""
    found = id_in_cgroup(read(proc / "cgroup")) or id_in_mountinfo(read(proc / "mountinfo"))
    return {} if found is None else {"container.id": found}


def read(path: Path) -> str:
    """Return the text of a file of `/proc`; empty where there is none."""
    with suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def id_in_cgroup(text: str) -> str | None:
    """Return the container's id in the content of `/proc/self/cgroup`.

    Example:
        >>> id_in_cgroup("1:name=systemd:/docker/" + 64 * "a") == 64 * "a"
        True
    """
    for line in text.splitlines():
        found = _IN_CGROUP.search(line.strip().rpartition("/")[2])
        if found is not None:
            return found["id"]
    return None


def id_in_mountinfo(text: str) -> str | None:
    """Return the container's id in the content of `/proc/self/mountinfo`.

    Example:
        >>> root = "/var/lib/docker/containers/" + 64 * "b" + "/hostname"
        >>> id_in_mountinfo(f"9 8 0:1 {root} /etc/hostname rw - ext4 /dev/a rw") == 64 * "b"
        True
    """
    for line in text.splitlines():
        fields = line.split(" ")  # id, parent, device, root, mount point, ...
        if len(fields) > 4 and fields[4] in _FILES_OF_CONTAINERS:
            found = _IN_MOUNT.search(fields[3])
            if found is not None:
                return found["id"]
    return None
