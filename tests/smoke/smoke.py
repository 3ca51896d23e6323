"""Does the installed wheel do its main job? `make wheels` runs this outside the sources.

Usage: smoke.py ROOT, where ROOT is the folder of the sources that must not be on sys.path.
"""

import importlib.metadata
import importlib.resources
import logging
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ORDERS = 3


def check_installation(root: Path) -> None:
    """The package is the installed one: no source folder on the path, typed, with one version everywhere."""
    import fapilog

    places = [Path(entry or ".").resolve() for entry in sys.path]
    assert not [place for place in places if place == root or root in place.parents], places
    assert Path(fapilog.__file__).is_relative_to(sysconfig.get_path("platlib")), fapilog.__file__
    assert importlib.resources.files("fapilog").joinpath("py.typed").is_file()
    assert importlib.resources.files("fapilog").joinpath("_native.pyi").is_file()
    assert fapilog.__version__ == importlib.metadata.version("fapilog")


def check_command() -> None:
    """The console script was installed and answers."""
    command = Path(sysconfig.get_path("scripts")) / "fapilog"
    answer = subprocess.run([command, "--help"], capture_output=True, text=True, timeout=60, check=True)
    assert "demo" in answer.stdout, answer.stdout


def check_delivery() -> None:
    """Records of our logger and of stdlib logging arrive whole, in order, and the ledger adds up."""
    from fapilog.testing import OtlpReceiver

    with OtlpReceiver() as receiver:
        os.environ.update(
            FAPILOG_EXPORTERS="otlp",
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint,
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_TRACES_EXPORTER="none",
            OTEL_METRICS_EXPORTER="none",
        )
        import fapilog

        telemetry = fapilog.configure_otel(service_name="smoke")
        log = fapilog.get_logger("shop")
        for order in range(ORDERS):
            log.info("order placed", order_id=order, amount=12.5, password="hunter2")
        logging.getLogger("legacy").error("card refused")
        assert telemetry.force_flush(10_000)

        received = sorted(receiver.log_records, key=lambda record: record.time_unix_nano)
        assert [(record.scope_name, record.body) for record in received] == [
            *[("shop", "order placed")] * ORDERS,
            ("legacy", "card refused"),
        ]
        assert [record.attributes.get("order_id") for record in received[:ORDERS]] == list(range(ORDERS))
        assert {record.resource["service.name"] for record in received} == {"smoke"}
        assert not [record for record in received if "hunter2" in str(record.attributes)]

        ledger = telemetry.ledger()
        otlp = ledger.exporters["otlp"]
        assert ledger.offered == ledger.filtered + sum(ledger.refused.values()) + ledger.accepted
        assert (ledger.accepted, otlp.delivered) == (ORDERS + 1, ORDERS + 1)
        assert (otlp.rejected, sum(otlp.dropped.values()), otlp.pending) == (0, 0, 0)
        assert telemetry.shutdown(10_000)


def check_profiles() -> None:
    """The profiles of fapilog-compliance are found by name, and their files came along."""
    from fapilog.compliance import installed, load

    profiles = load(installed()).profiles
    assert "pci-dss" in [profile.name for profile in profiles]
    assert all(profile.clauses for profile in profiles)


def check_elasticsearch() -> None:
    """The exporter of fapilog-exporter-elasticsearch is found by its name."""
    import fapilog

    with fapilog.LoggerProvider(exporters=["elasticsearch"]) as provider:
        assert list(provider.ledger().exporters) == ["elasticsearch"]


def check_fastapi() -> None:
    """The instrumentation of FastAPI is found, and finds FastAPI."""
    from fastapi import FastAPI

    import fapilog

    app = FastAPI()
    assert fapilog.instrument_fastapi(app, spans="none") is app


def main() -> None:
    """Run the checks in order; the first that fails ends the program with its traceback."""
    check_installation(Path(sys.argv[1]).resolve())
    check_command()
    check_profiles()
    check_elasticsearch()
    check_fastapi()
    check_delivery()
    sys.stdout.write("smoke: the installed wheel delivered every record\n")


if __name__ == "__main__":
    main()
