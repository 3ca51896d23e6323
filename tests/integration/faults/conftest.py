"""What the fault tests share: toxiproxy where a fault needs it, certificates good and bad."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.faults.table import Fault, Peer
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.toxiproxy.control import Toxiproxy
from tests.unmeasured import unmeasured

HERE = Path(__file__).parent
ALWAYS = {
    "test_collector_storage.py",
    "test_fault_sequences.py",
    "test_judge.py",
    "test_short_matrix.py",
    "test_soak.py",
    "test_spooled_outage.py",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leaves the whole matrix to `make test-faults`: it takes minutes of two cores."""
    for item in items:
        if HERE in item.path.parents and item.path.name not in ALWAYS:
            item.add_marker(pytest.mark.long)


@dataclass(frozen=True)
class Identities:
    """Certificates by peer, and the authorities that the client trusts."""

    good: Certificates
    bad: dict[Peer, Certificates | None]
    trusted: Path


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Identities:
    """Who is who."""
    base = tmp_path_factory.mktemp("identities")
    good = make_certificates(base / "good")
    expired = make_certificates(base / "expired", now=datetime.now(UTC) - timedelta(days=2))
    other_host = make_certificates(base / "other-host", server_host="logs.example.com")
    trusted = base / "trusted.pem"
    # The authority of a bad certificate is trusted, so that only its fault is left to find.
    trusted.write_bytes(b"".join(known.ca.read_bytes() for known in (good, expired, other_host)))
    bad = {
        Peer.WRONG_AUTHORITY: make_certificates(base / "unknown"),
        Peer.EXPIRED: expired,
        Peer.OTHER_HOST: other_host,
        Peer.PLAIN: None,
        Peer.TLS: good,
    }
    return Identities(good, bad, trusted)


@pytest.fixture
def network(request: pytest.FixtureRequest, fault: Fault) -> Toxiproxy | None:
    """Toxiproxy, where the fault needs it: all other cells run without Go."""
    return request.getfixturevalue("toxiproxy") if fault.needs_proxy else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tracing every line would take longer than these tests; pytest asks here for all others as well."""
    with unmeasured(when=item.path.is_relative_to(Path(__file__).parent)):
        return (yield)
