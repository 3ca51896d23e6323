"""Built-in enricher `kubernetes`: attributes of the resource that tell the pod (semantic conventions).

From environment variables that the pod's specification fills through the downward API, else from files that
Kubernetes mounts into every pod. Outside of Kubernetes it adds nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from fapilog.enrichers.base import Source
from fapilog.enrichers.container import read
from fapilog.settings import Settings

_MOUNTINFO = Path("/proc/self/mountinfo")
_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
# The first variable that is set tells. `OTEL_RESOURCE_ATTRIBUTES_*` are those of OpenTelemetry's operator.
VARIABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "k8s.pod.name": ("OTEL_RESOURCE_ATTRIBUTES_POD_NAME", "K8S_POD_NAME", "POD_NAME"),
        "k8s.namespace.name": ("OTEL_RESOURCE_ATTRIBUTES_POD_NAMESPACE", "K8S_NAMESPACE", "POD_NAMESPACE"),
        "k8s.node.name": ("OTEL_RESOURCE_ATTRIBUTES_NODE_NAME", "K8S_NODE_NAME", "NODE_NAME"),
        "k8s.pod.uid": ("OTEL_RESOURCE_ATTRIBUTES_POD_UID", "K8S_POD_UID", "POD_UID"),
    }
)
_IN_KUBERNETES = "KUBERNETES_SERVICE_HOST"
# The kubelet keeps a pod's `/etc/hosts` below a folder that is called by the pod's uid.
_POD_UID = re.compile(r"/pods/(?P<uid>[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})/")


def source(_settings: Settings) -> Source:
    """Make the enricher."""
    return Source("kubernetes", describe=lambda: attributes(os.environ))


def attributes(
    environ: Mapping[str, str], namespace: Path = _NAMESPACE, mountinfo: Path = _MOUNTINFO
) -> dict[str, str]:
    """Return what tells the pod; what cannot be found is left out."""
    found = {
        attribute: value
        for attribute, names in VARIABLES.items()
        if (value := next((environ[name] for name in names if environ.get(name)), None)) is not None
    }
    if _IN_KUBERNETES in environ:
        # A pod's host name is its name, unless the specification says otherwise.
        known = {
            "k8s.pod.name": environ.get("HOSTNAME", ""),
            "k8s.namespace.name": read(namespace).strip(),
            "k8s.pod.uid": uid_in_mountinfo(read(mountinfo)) or "",
        }
        found = {attribute: value for attribute, value in known.items() if value} | found
    return found


def uid_in_mountinfo(text: str) -> str | None:
    """Return the pod's uid in the content of `/proc/self/mountinfo`.

    Example:
        >>> uid = "0a0b0c0d-0102-0304-0506-0708090a0b0c"
        >>> uid_in_mountinfo(f"9 8 0:1 /var/lib/kubelet/pods/{uid}/etc-hosts /etc/hosts rw - a b rw") == uid
        True
    """
    for line in text.splitlines():
        fields = line.split(" ")
        found = _POD_UID.search(fields[3]) if len(fields) > 4 else None
        if found is not None:
            return found["uid"]
    return None
