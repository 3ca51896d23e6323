"""Python exporters' cursors at the ends of a process: a fork, and an exit with records that nobody took."""

from pathlib import Path

from fapilog.testing import OtlpReceiver
from tests.integration.harness import bodies, run
from tests.servers.certificates import make_certificates


def test_a_forked_child_starts_anew_with_what_was_changed_and_leaves_the_parents_wake_alone(
    receiver: OtlpReceiver,
) -> None:
    ended = run("native_delivery.py", receiver.logs_endpoint, "fork")
    assert (ended.stdout, ended.stderr) == ("started in parent\nstarted in child\n", "")
    assert ended.returncode == 0
    assert sorted(bodies(receiver)) == ["child's", "parent's", "parent's second"]
    assert {record.body: record.resource["process"] for record in receiver.log_records} == {
        "parent's": "parent",
        "parent's second": "parent",
        "child's": "child",
    }
    assert {request.headers["authorization"] for request in receiver.requests} == {"renewed"}


def test_the_exit_does_not_wait_for_a_python_exporter_and_says_what_it_still_held(
    receiver: OtlpReceiver,
) -> None:
    ended = run("native_delivery.py", receiver.logs_endpoint, "end")
    assert ended.returncode == 0
    assert ended.stderr == "fapilog: 1 records were not delivered before the process ended.\n"
    assert bodies(receiver) == ["for both"]


def test_a_forked_child_that_cannot_build_an_exporter_says_so_and_goes_without_it(tmp_path: Path) -> None:
    certificate = make_certificates(tmp_path).ca
    variables = {"OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": str(certificate)}
    ended = run("native_delivery.py", "https://localhost:9/v1/logs", "lost_certificate", **variables)
    assert (ended.returncode, ended.stdout) == (0, "started in child\n")
    assert "fapilog: this forked process goes without an exporter, the spool or the" in ended.stderr
    assert str(certificate) in ended.stderr
