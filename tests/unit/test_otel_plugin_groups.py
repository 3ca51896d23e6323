"""OpenTelemetry's own entry-point groups: listed, described, installed, allowed and denied."""

import json
import sys
from importlib.metadata import EntryPoint, distribution

import pytest
from typer.testing import CliRunner

from fapilog import diagnostics
from fapilog.cli import main as cli
from fapilog.cli.plugin_tools import packages
from fapilog.otel import installed_exporters, signals
from fapilog.plugins import PluginPolicy, Plugins
from fapilog.plugins.loading import not_installed
from tests.unit.distributions import install, wheel

POINTS = {
    "opentelemetry_instrumentor": {"acme_http": "acme_otel:HttpInstrumentor"},
    "opentelemetry_traces_exporter": {"acme_spans": "acme_otel:Spans"},
    "opentelemetry_metrics_exporter": {"acme_reader": "acme_otel:Reader", "acme_wrong": "acme_otel:Wrong"},
}
CODE = """
    from fapilog import PluginMetadata

    made = []

    class HttpInstrumentor:
        fapilog_plugin = PluginMetadata(
            name="acme_http", version="1.0", type="instrumentor", description="Spans of HTTP calls."
        )

        def __init__(self):
            made.append(self)

        def instrument(self, **_):
            pass

        def uninstrument(self):
            pass

    class Spans:
        def export(self, spans):
            pass

        def shutdown(self):
            pass

    class Reader:
        def collect(self):
            pass

        def shutdown(self):
            pass

    class Wrong:
        pass
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package with a plugin in each group."""
    site = tmp_path / "site"
    site.mkdir()
    install(site, "acme-otel", POINTS, CODE)
    monkeypatch.syspath_prepend(str(site))
    yield site
    sys.modules.pop("acme_otel", None)


def run(*arguments, **options):
    return CliRunner().invoke(cli.app, ["plugins", *arguments], **options)


def rows(*options):
    listed = json.loads(run("list", "--json", *options).stdout)
    return {row["name"]: row for row in listed if row["distribution"] == "acme-otel"}


def test_a_list_has_the_plugins_of_all_groups_and_a_check_makes_none_of_them(acme):
    assert {name: (row["group"], row["status"]) for name, row in rows("--check").items()} == {
        "acme_http": ("opentelemetry_instrumentor", "loaded"),
        "acme_spans": ("opentelemetry_traces_exporter", "loaded"),
        "acme_reader": ("opentelemetry_metrics_exporter", "loaded"),
        "acme_wrong": ("opentelemetry_metrics_exporter", "loaded"),
    }
    assert sys.modules["acme_otel"].made == []


def test_what_fapilog_itself_registers_is_no_plugin():
    assert {plugin.name for plugin in Plugins().listed() if plugin.distribution == "fapilog"} == set()


def test_info_describes_an_instrumentor_by_its_name_and_by_its_package(acme):
    for name in ("acme_http", "acme-otel"):
        shown = run("info", name).output
        assert "plugin acme_http of opentelemetry_instrumentor (acme-otel 1.0) is loaded" in shown
        assert "  instrumentor acme_http 1.0, plugin contract 1\n  Spans of HTTP calls.\n" in shown


@pytest.mark.parametrize(
    ("name", "status"),
    [("acme_http", "passed"), ("acme_spans", "passed"), ("acme_reader", "passed"), ("acme_wrong", "failed")],
)
def test_validation_makes_one_and_says_whether_it_is_what_its_group_holds(acme, name, status):
    done = run("validate", name, "--json")
    found = {each["what"]: each["status"] for each in json.loads(done.stdout)}
    assert (found["it can be loaded and made"], done.exit_code) == (status, int(status == "failed"))


def test_a_package_that_brings_an_instrumentor_alone_can_be_installed(tmp_path):
    points = {"opentelemetry_instrumentor": POINTS["opentelemetry_instrumentor"]}
    found = packages.look_into(wheel(tmp_path, "acme-otel", points, CODE))
    packages.refuse_without_plugins(found)
    assert found.plugins == (("opentelemetry_instrumentor", "acme_http", "acme_otel:HttpInstrumentor"),)


def test_our_fastapi_instrumentation_is_listed_described_and_catalogued_under_one_name():
    shown = run("info", "fapilog-instrumentation-fastapi").output
    assert "plugin fapilog_fastapi of opentelemetry_instrumentor" in shown
    assert "  instrumentor fapilog_fastapi" in shown
    assert "instrumentor fapilog_fastapi\n" in run("search", "fastapi", "--offline").output


def test_an_instrumentor_of_what_is_not_installed_is_not_broken(acme):
    metadata = acme / "acme_otel-1.0.dist-info" / "METADATA"
    needs = "Requires-Dist: wrapt\nRequires-Dist: acme-http>=2; extra == 'instruments'\n"
    metadata.write_text(metadata.read_text() + needs)
    (acme / "acme_otel.py").write_text("import acme_http")
    row = rows("--check")["acme_http"]
    assert (row["status"], row["problem"]) == (
        "available",
        "nothing to instrument: acme-http is not installed",
    )


def test_of_several_packages_that_one_instruments_any_will_do(acme):
    metadata = acme / "acme_otel-1.0.dist-info" / "METADATA"
    wanted = ["acme-http>=2", "pytest>=1"]
    metadata.write_text(
        metadata.read_text()
        + "".join(f"Requires-Dist: {each}; extra == 'instruments-any'\n" for each in wanted)
    )
    [point] = distribution("acme-otel").entry_points.select(name="acme_http")
    assert not_installed(point) == ""
    assert not_installed(EntryPoint("x", "y:z", "opentelemetry_instrumentor")) == ""


@pytest.mark.parametrize("by", ["acme_spans", "traces_exporters:acme_spans", "package:acme-otel"])
def test_a_denied_exporter_of_spans_is_said_and_ignored(acme, monkeypatch, capsys, by):
    diagnostics._voice.forget()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "acme_spans")
    policy = PluginPolicy(deny=frozenset([by]))
    assert signals.exporters("OTEL_TRACES_EXPORTER", otlp=False) == ["acme_spans"]
    assert signals.exporters("OTEL_TRACES_EXPORTER", otlp=False, policy=policy) == []
    assert "OTEL_TRACES_EXPORTER names 'acme_spans'; known are" in capsys.readouterr().err
    assert "acme_otel" not in sys.modules


def test_an_exporter_of_spans_for_another_contract_is_an_error(acme):
    (acme / "acme_otel.py").write_text("class Spans:\n    fapilog_contract = 2\n")
    with pytest.raises(Exception, match="made for plugin contract 2, this fapilog has 1: update fapilog"):
        installed_exporters.make("OTEL_TRACES_EXPORTER", "acme_spans")


@pytest.mark.parametrize(
    ("variable", "value", "loaded"),
    [
        ("FAPILOG_PLUGINS_DENY", "instrumentors:acme_http", False),
        ("FAPILOG_PLUGINS_ALLOW", "splunk_hec", False),
        ("FAPILOG_PLUGINS_ALLOW", "acme_http", True),
        ("FAPILOG_PLUGINS_DENY", "acme_spans", True),
    ],
)
def test_our_distribution_loads_no_instrumentor_that_the_settings_refuse(
    acme, monkeypatch, variable, value, loaded
):
    zero_code = pytest.importorskip("fapilog.distro.zero_code", reason="needs fapilog[zero-code]")
    monkeypatch.setenv(variable, value)
    [point] = distribution("acme-otel").entry_points.select(name="acme_http")
    zero_code.FapilogDistro().load_instrumentor(point)
    assert ("acme_otel" in sys.modules) is loaded


@pytest.mark.parametrize("name", ["opentelemetry-sdk", "opentelemetry_exporter.otlp-proto-http", "fapilog"])
def test_what_fapilog_needs_is_not_removed_although_it_brings_plugins(name):
    done = run("remove", name, "--yes")
    assert (done.exit_code, "a part of fapilog, or fapilog needs it" in done.output) == (1, True)
