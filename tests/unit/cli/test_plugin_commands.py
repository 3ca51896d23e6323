"""`fapilog plugins ...`: what is found, looked into, refused, installed, made and checked. No network."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fapilog.cli import main as cli
from fapilog.cli.plugin_tools import catalogue, packages
from fapilog.cli.plugin_tools.scaffold import scaffold
from tests.unit.distributions import install, wheel

ENRICHER = {"fapilog.enrichers": {"team": "acme_team:team"}}
GOOD = """
    from fapilog import PluginMetadata, PluginPerformance

    fapilog_plugin = PluginMetadata(
        name="team", version="2.0", type="enricher", description="Who is on duty.",
        settings={"type": "object"}, performance=PluginPerformance(call_micros=1e9),
        certified_profiles=("gdpr",),
    )

    def team():
        return {"team": "x"}
"""


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes as its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An installed enricher with metadata."""
    site = tmp_path / "site"
    site.mkdir()
    install(site, "acme-team", ENRICHER, GOOD, "2.0")
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


@pytest.fixture
def without_pip(monkeypatch):
    """What pip would be asked, and answers by its first word."""
    asked, answers = [], {"install": '{"install": []}'}

    def pip(*arguments):
        asked.append(arguments)
        return answers[arguments[0]]

    monkeypatch.setattr(packages, "pip", pip)
    pip.asked, pip.answers = asked, answers
    return pip


def run(*arguments, answer=None):
    return CliRunner().invoke(cli.app, ["plugins", *arguments], input=answer)


def test_the_catalogue_finds_packages_by_any_of_their_words():
    assert [each.name for each in catalogue.search("splunk hec")] == ["fapilog-exporter-splunk"]
    assert len(catalogue.search("")) == len(catalogue.catalogue())
    assert {each.name for each in catalogue.search("exporter grpc")} == {
        "opentelemetry-exporter-otlp-proto-grpc"
    }


def test_a_search_prints_what_the_catalogue_has(without_pip):
    found = run("search", "splunk", "--offline")
    assert (found.exit_code, found.output.splitlines()[0]) == (
        0,
        "fapilog-exporter-splunk (of the makers of fapilog)",
    )
    assert without_pip.asked == []


def test_a_search_for_an_exact_name_asks_the_index(without_pip):
    without_pip.answers["index"] = '{"versions": ["1.2", "1.0"]}'
    found = run("search", "acme-team")
    assert (found.exit_code, found.output) == (
        0,
        "acme-team 1.2 is on pip's index; `fapilog plugins install acme-team` looks into it\n",
    )
    assert without_pip.asked == [("index", "versions", "acme-team", "--json")]


def test_a_package_that_has_pre_releases_alone_is_found(without_pip, monkeypatch):
    def pip(*arguments):
        if "--pre" not in arguments:
            raise packages.PackageError("pip index failed: No matching distribution found")
        return '{"versions": ["0.66b1"]}'

    monkeypatch.setattr(packages, "pip", pip)
    assert packages.versions("acme-instrumentation") == ("0.66b1",)


def test_what_nobody_has_is_not_found(index):
    assert run("search", "acme-nobody").exit_code == 1
    assert run("info", "acme-nobody").exit_code == 1


def test_info_finds_a_package_of_the_catalogue_by_a_plugin_of_it_and_asks_nobody(without_pip):
    found = run("info", "syslog")
    assert found.exit_code == 0
    assert "fapilog-exporter-syslog (of the makers of fapilog)" in found.output
    assert without_pip.asked == []


def test_info_shows_what_a_plugin_says_of_itself(installed):
    assert run("info", "team").output == (
        "plugin team of fapilog.enrichers (acme-team 2.0) is loaded\n"
        "  enricher team 2.0, plugin contract 1\n"
        "  Who is on duty.\n"
        "  promises: 1e+09 us a call at most\n"
        "  certified by its author under: gdpr\n"
        "  settings:\n"
        "    {\n"
        '      "type": "object"\n'
        "    }\n"
    )


SETTINGS = """
    from fapilog import PluginMetadata
    from fapilog.exporters.settings import ExporterSettings
    from pydantic import Field

    class Settings(ExporterSettings):
        exporter = "team"
        prefix = "ACME_"
        url: str = Field(description="Where to.")
        index: str | None = Field(None, description="Of records.")
        pause_millis: int = Field(7, description="Between two.")

    class Team:
        name = "team"
        fapilog_plugin = PluginMetadata(name="team", version="2.0", type="exporter", settings=Settings)

        def __init__(self):
            Settings.load()
"""


def test_info_shows_the_variables_of_an_exporter_and_a_list_which_are_missing(tmp_path, monkeypatch):
    site = tmp_path / "site"
    site.mkdir()
    install(site, "acme-out", {"opentelemetry_logs_exporter": {"team": "acme_out:Team"}}, SETTINGS)
    monkeypatch.syspath_prepend(str(site))
    assert run("info", "team").output.partition("  settings:\n")[2] == (
        "    ACME_URL (needed): Where to.\n"
        "    ACME_INDEX (-): Of records.\n"
        "    ACME_PAUSE_MILLIS (7): Between two.\n"
    )
    assert "(the exporter team needs url: set ACME_URL, or pass url)" in run("validate", "team").output
    del sys.modules["acme_out"]


def test_a_list_with_calls_shows_how_each_did(installed):
    [row] = [row for row in json.loads(run("list", "--call", "--json").stdout) if row["name"] == "team"]
    assert (row["status"], row["contract"], row["call_micros"] >= 0) == ("loaded", 1, True)


def test_a_denied_plugin_shows_as_disabled(installed, monkeypatch):
    monkeypatch.setenv("FAPILOG_PLUGINS_DENY", "enrichers:team")
    [row] = [row for row in json.loads(run("list", "--json").stdout) if row["name"] == "team"]
    assert (row["status"], row["problem"]) == ("disabled", "plugins.deny names enrichers:team")


def test_a_package_is_looked_into_checked_and_named_before_it_is_installed(tmp_path, without_pip):
    path = wheel(tmp_path, "acme-team", ENRICHER, GOOD, requires=("fapilog>=1.0",))
    without_pip.answers["install"] = json.dumps(
        {"install": [{"metadata": {"name": name, "version": "1.0"}} for name in ("acme-team", "more")]}
    )
    done = run("install", str(path), answer="n\n")
    assert done.exit_code == 1
    assert done.output.splitlines()[:5] == [
        "acme-team 1.0: A test.",
        "  fapilog.enrichers: team (acme_team:team)",
        "  needs: fapilog>=1.0",
        "static check (bandit): 0 findings, 0 grave",
        "pip would install: acme-team 1.0, more 1.0",
    ]
    assert "not looked into: what the package needs" in done.output
    assert "nothing was changed" in done.output
    assert [arguments[:2] for arguments in without_pip.asked] == [("install", "--dry-run")]
    assert run("install", str(path), "--yes").exit_code == 0
    assert without_pip.asked[-1] == ("install", "--quiet", str(path))


def test_what_would_take_the_place_of_something_is_named(tmp_path, without_pip):
    without_pip.answers["install"] = '{"install": [{"metadata": {"name": "pytest", "version": "1.0"}}]}'
    found = packages.would_install(packages.look_into(wheel(tmp_path, "acme-team", ENRICHER)))
    assert found == (f"pytest 1.0 (in place of {pytest.__version__})",)


def test_a_package_without_our_contract_is_refused_before_anything_else(tmp_path, without_pip):
    path = wheel(tmp_path, "acme-other", {"console_scripts": {"acme": "acme_other:main"}})
    done = run("install", str(path), "--yes")
    assert (done.exit_code, without_pip.asked) == (1, [])
    assert "acme-other 1.0 brings no plugin: it has no entry point in" in done.output


GRAVE = """
    import subprocess

    def team(command):
        subprocess.Popen(command, shell=True)  # nosec
"""


def test_a_grave_finding_stops_the_installation_unless_it_is_accepted(tmp_path, without_pip):
    path = wheel(tmp_path, "acme-team", ENRICHER, GRAVE)
    done = run("install", str(path), "--yes")
    assert (done.exit_code, without_pip.asked) == (1, [])
    assert "acme-team has 1 grave findings" in done.output
    assert run("install", str(path), "--yes", "--accept-findings").exit_code == 0


def test_what_bandit_cannot_see_is_a_finding(tmp_path):
    path = wheel(tmp_path, "acme-team", ENRICHER, others=("acme.pth", "acme_fast.so"))
    (tmp_path / "source").mkdir()
    found = packages.static_check(packages.look_into(path), tmp_path / "source")
    assert [(each.severity, each.place) for each in found] == [
        ("HIGH", "acme.pth"),
        ("MEDIUM", "acme_fast.so"),
    ]


def test_without_bandit_it_is_said_loudly(tmp_path, without_pip, monkeypatch):
    monkeypatch.setattr(packages, "has_bandit", lambda: False)
    done = run("install", str(wheel(tmp_path, "acme-team", ENRICHER, GOOD)), "--dry-run")
    assert done.exit_code == 0
    assert "NOT CHECKED: bandit is not installed" in done.output


@pytest.mark.parametrize("name", ["-r", "a b", "https://example.org/x", "x; y", "../x", "x[extra]", ""])
def test_only_names_of_packages_reach_pip(name, without_pip):
    done = run("install", "--", name)
    assert (done.exit_code, without_pip.asked) == (1, [])


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip"])
def test_a_file_that_is_no_wheel_is_refused(tmp_path, content, without_pip):
    path = tmp_path / "acme-1.0-py3-none-any.whl"
    path.write_bytes(content)
    assert run("install", str(path), "--yes").exit_code == 1


def test_a_file_outside_of_the_wheel_is_not_written(tmp_path):
    path = wheel(tmp_path, "acme-team", ENRICHER, others=("../../evil.py",))
    (tmp_path / "source").mkdir()
    with pytest.raises(packages.PackageError, match="a file outside of itself"):
        packages.static_check(packages.look_into(path), tmp_path / "source")


def test_an_update_says_what_is_there_and_stops_at_the_newest(installed, tmp_path, without_pip, monkeypatch):
    path = wheel(tmp_path, "acme-team", ENRICHER, GOOD, version="2.0")
    monkeypatch.setattr(packages, "download", lambda *_: packages.look_into(path))
    done = run("update", "acme-team", "--yes")
    assert (done.exit_code, without_pip.asked) == (0, [])
    assert done.output.splitlines()[0] == "installed: acme-team 2.0"
    assert done.output.splitlines()[-1] == "acme-team 2.0 is the newest version there is"


def test_an_update_of_what_is_not_installed_is_refused(without_pip):
    assert run("update", "acme-nobody").exit_code == 1


def test_only_packages_with_plugins_are_removed(installed, without_pip):
    without_pip.answers["uninstall"] = ""
    for other in ("pytest", "fapilog", "acme-nobody"):
        assert run("remove", other, "--yes").exit_code == 1
    assert without_pip.asked == []
    assert run("remove", "acme-team", "--yes").exit_code == 0
    assert without_pip.asked == [("uninstall", "--yes", "--quiet", "acme-team")]


def test_a_new_package_is_made_and_validated(tmp_path):
    made = run("new", "enricher", "acme-new", "--directory", str(tmp_path))
    assert made.exit_code == 0, made.output
    done = run("validate", str(tmp_path / "acme-new"), "--json")
    assert done.exit_code == 0, done.output
    assert {each["status"] for each in json.loads(done.stdout)} == {"passed"}
    assert run("new", "enricher", "acme-new", "--directory", str(tmp_path)).exit_code == 1
    assert run("new", "sink", "acme-sink", "--directory", str(tmp_path)).exit_code == 2


def test_a_plugin_that_breaks_its_promise_fails_validation(tmp_path):
    folder = scaffold("enricher", "acme-slow", tmp_path)
    code = folder / "acme_slow" / "__init__.py"
    code.write_text(code.read_text().replace("call_micros=1_000", "call_micros=0.000_001"))
    done = run("validate", str(folder))
    assert done.exit_code == 1
    assert "failed  acme_slow: it costs what it promises" in done.output


def test_a_plugin_that_misbehaves_fails_validation(installed, tmp_path):
    (tmp_path / "site" / "acme_team.py").write_text("def team():\n    return 5\n")
    done = run("validate", "acme-team")
    assert done.exit_code == 1
    assert "failed  team: it answers with named attributes or none" in done.output


def test_exporters_are_not_called_without_being_asked_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = scaffold("exporter", "acme-out", tmp_path)
    assert run("validate", str(folder)).exit_code == 0
    assert not (tmp_path / "acme_out.jsonl").exists()
    assert run("validate", str(folder), "--live").exit_code == 0
    assert (tmp_path / "acme_out.jsonl").exists()


@pytest.mark.parametrize("target", ["nobody-has-this", "folder"])
def test_where_there_is_no_plugin_validation_says_so(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    assert run("validate", target).exit_code == 1


def test_dev_validates_in_a_process_of_its_own_and_again_after_a_change(tmp_path, monkeypatch):
    folder = scaffold("enricher", "acme-dev", tmp_path)
    rounds = []

    def validated(path, *, live):
        rounds.append((path, live))
        return 0

    def change(_seconds):
        if len(rounds) == 2:
            raise KeyboardInterrupt
        (folder / "acme_dev" / "more.py").touch()

    monkeypatch.setattr("fapilog.cli.plugins_develop._validated_apart", validated)
    monkeypatch.setattr("fapilog.cli.plugins_develop.time.sleep", change)
    done = run("dev", str(folder))
    assert (rounds, done.exit_code) == ([(folder, False)] * 2, 0)
    assert f"changed: {folder / 'acme_dev' / 'more.py'}" in done.output


@pytest.mark.long
def test_a_round_of_dev_shows_the_time_of_a_call(tmp_path):
    folder = scaffold("enricher", "acme-dev", tmp_path)
    code = "from fapilog.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "plugins", "dev", str(folder), "--once"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "us a call" in done.stdout


@pytest.mark.long
def test_a_package_is_installed_updated_and_removed_by_the_real_pip(tmp_path, index):
    wheel(index, "acme-team", ENRICHER, GOOD)
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=False)
    [site] = environment.glob("lib/python*/site-packages")
    (site / "outer.pth").write_text("\n".join(path for path in sys.path if Path(path).is_dir()))

    def command(*arguments):
        code = "from fapilog.cli.main import main; main()"
        done = subprocess.run(
            [environment / "bin" / "python", "-c", code, "plugins", *arguments],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "acme-team 1.0 is on pip's index" in command("search", "acme-team")
    assert "pip would install: acme-team 1.0" in command("install", "acme-team", "--yes")
    assert (site / "acme_team.py").exists()
    wheel(index, "acme-team", ENRICHER, GOOD, version="1.1")
    assert "installed acme-team 1.1" in command("update", "acme-team", "--yes")
    assert "removed acme-team 1.1" in command("remove", "acme-team", "--yes")
    assert not (site / "acme_team.py").exists()
