"""The command line: settings shown, explained and checked; plugins added; exit codes."""

import json
import sys
from importlib.metadata import EntryPoint

import pytest
import typer
import yaml
from typer.testing import CliRunner

from fapilog import diagnostics
from fapilog.cli import main as cli
from fapilog.errors import MissingDependencyError
from fapilog.plugins import Plugins
from fapilog.settings.variables import ROWS, VARIABLE_NAMES


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """No variable of the real environment, and nothing said before."""
    for name in VARIABLE_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("fapilog.plugins.registry.entry_points", list)
    diagnostics._voice.forget()


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command as the console script does: (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fapilog", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        captured = capsys.readouterr()
        return caught.value.code or 0, captured.out, captured.err

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "fapilog.yaml"
    path.write_text("level: debug\notlp: {headers: {authorization: hunter2}}\n")
    return str(path)


def test_show_prints_the_effective_settings_as_yaml_without_secrets(run, file, monkeypatch):
    monkeypatch.setenv("FAPILOG_OVERFLOW", "wait")
    code, out, err = run("config", "show", file)
    values = yaml.safe_load(out)
    assert (code, err) == (0, "")
    assert (values["level"], values["buffer"]["overflow"], values["otlp"]["headers"]) == (
        "DEBUG",
        "wait",
        {"authorization": "***"},
    )


def test_show_prints_the_same_as_json(run, file):
    assert json.loads(run("config", "show", file, "--json")[1]) == yaml.safe_load(
        run("config", "show", file)[1]
    )


def test_explain_names_value_origin_and_variables_of_every_setting(run, file):
    code, out, err = run("config", "explain", file)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == ["setting", *ROWS]
    assert out.splitlines()[1].split() == ["level", "DEBUG", file, "FAPILOG_LEVEL"]


def test_explain_as_json_is_a_list_of_settings(run, file):
    code, out, _ = run("config", "explain", file, "--json")
    first = json.loads(out)[0]
    assert (code, first) == (
        0,
        {"name": "level", "value": "DEBUG", "origin": file, "variables": ["FAPILOG_LEVEL"]},
    )


def test_validate_says_what_the_settings_were_set_by(run, file, monkeypatch):
    monkeypatch.setenv("FAPILOG_OVERFLOW", "wait")
    assert run("config", "validate") == (0, "settings are valid; set by: FAPILOG_OVERFLOW\n", "")
    assert json.loads(run("config", "validate", file, "--json")[1]) == {
        "valid": True,
        "origins": sorted([file, "FAPILOG_OVERFLOW"]),
    }
    monkeypatch.delenv("FAPILOG_OVERFLOW")
    assert run("config", "validate")[1] == "settings are valid; set by: nothing, all defaults\n"


@pytest.mark.parametrize("command", ["show", "explain", "validate"])
def test_wrong_settings_are_exit_code_2_with_the_error_on_stderr(run, monkeypatch, command):
    monkeypatch.setenv("FAPILOG_OVERFLOW", "panic")
    assert run("config", command) == (
        2,
        "",
        "ConfigurationError: buffer.overflow is not one of the allowed words [setting-invalid]\n"
        "  buffer.overflow = 'panic'   from FAPILOG_OVERFLOW\n"
        "  do: set FAPILOG_OVERFLOW to 'drop_oldest', 'drop_newest' or 'wait'\n"
        "  see: docs/reference/errors.md#setting-invalid\n",
    )


def test_validate_as_json_lists_the_problems_too(run, monkeypatch):
    monkeypatch.setenv("FAPILOG_COMPLIANCE", "nowhere")
    code, out, err = run("config", "validate", "--json")
    answer = json.loads(out)
    assert (code, answer["valid"], [problem["code"] for problem in answer["problems"]]) == (
        2,
        False,
        ["profile-unknown"],
    )
    assert err.startswith("ConfigurationError: ")


def test_a_missing_file_is_exit_code_2(run):
    code, out, err = run("config", "validate", "/nowhere/fapilog.yaml")
    assert (code, out) == (2, "")
    assert "[file-unreadable]" in err


def test_wrong_usage_is_exit_code_2(run):
    code, out, err = run("config", "shout")
    assert (code, out) == (2, "")
    assert "No such command" in err


def test_a_warning_about_a_variable_goes_to_stderr_and_keeps_stdout_clean(run, monkeypatch):
    monkeypatch.setenv("OTEL_BLRP_SCHEDULE_DELAY", "soon")
    code, out, err = run("config", "show", "--json")
    assert (code, json.loads(out)["buffer"]["schedule_delay_millis"]) == (0, 1_000)
    assert err.startswith("fapilog: OTEL_BLRP_SCHEDULE_DELAY = 'soon' ")


def test_version_is_that_of_the_distribution(run, monkeypatch):
    monkeypatch.setattr(cli, "version", lambda name: f"9.8.7 of {name}")
    assert run("--version") == (0, "fapilog 9.8.7 of fapilog\n", "")


def test_an_error_of_a_command_is_exit_code_1_without_a_traceback(run, monkeypatch):
    def fail():
        raise MissingDependencyError("fapilog-viewer", "fapilog view")

    monkeypatch.setattr(cli, "app", lambda prog_name: fail())
    monkeypatch.setattr(cli, "add_plugin_commands", lambda target: None)
    assert run("view") == (
        1,
        "",
        "MissingDependencyError: fapilog view needs the package fapilog-viewer [dependency-missing]\n"
        "  do: pip install fapilog-viewer\n"
        "  see: docs/reference/errors.md#dependency-missing\n",
    )


def group_plugin():
    app = typer.Typer()

    @app.command()
    def verify():
        typer.echo("verified")

    @app.command()
    def other():
        typer.echo("other")

    return app


audit = group_plugin()


def spool():
    """Look at the spool."""
    typer.echo("spool is empty")


not_a_command = 5


class FakeEntryPoint:
    group, dist = "fapilog.commands", None

    def __init__(self, name, target):
        self.name, self.value, self._target = name, f"package:{name}", target

    def load(self):
        if isinstance(self._target, Exception):
            raise self._target
        return self._target


def unusable(value: int | str):
    """A parameter that typer cannot read."""


def test_commands_of_plugins_are_added_and_broken_ones_named_and_skipped(capsys):
    app = typer.Typer()
    app.add_typer(typer.Typer(), name="config")
    points = [
        FakeEntryPoint("broken", RuntimeError("no\nluck")),
        FakeEntryPoint("audit", audit),
        FakeEntryPoint("config", spool),
        FakeEntryPoint("number", not_a_command),
        FakeEntryPoint("spool", spool),
        FakeEntryPoint("unusable", unusable),
    ]
    cli.add_plugin_commands(app, Plugins(points=points))
    runner = CliRunner()
    assert runner.invoke(app, ["audit", "verify"]).output == "verified\n"
    assert runner.invoke(app, ["spool"]).output == "spool is empty\n"
    lead = "fapilog: plugin {} of fapilog.commands (package:{}) is left out: {} [plugin-broken]"
    lines = capsys.readouterr().err.splitlines()
    assert lines.pop().startswith(lead.partition("{}")[0] + "unusable ")  # typer's own words follow
    problems = {
        "broken": "RuntimeError: no\\nluck",
        "config": "a command of this name exists already",
        "number": "it is neither a typer.Typer nor a function",
    }
    assert lines == [lead.format(name, name, problem) for name, problem in problems.items()]


@pytest.fixture
def installed(monkeypatch):
    """Two packages with a command each, one of them broken."""
    points = [
        EntryPoint("broken", "a_module_that_does_not_exist:app", "fapilog.commands"),
        EntryPoint("spool", f"{__name__}:spool", "fapilog.commands"),
    ]
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or type(sys)(__name__))
    monkeypatch.setattr(sys.modules[__name__], "spool", spool, raising=False)
    monkeypatch.setattr("fapilog.plugins.registry.entry_points", lambda group: points)


def test_plugins_are_found_by_their_entry_point_group(installed, capsys):
    cli.add_plugin_commands(typer.Typer())
    assert "(a_module_that_does_not_exist:app) is left out: ModuleNotFoundError" in capsys.readouterr().err


def test_a_disabled_command_is_not_loaded(installed, capsys, monkeypatch):
    monkeypatch.setenv("FAPILOG_DISABLED_PLUGINS", "commands:broken")
    app = typer.Typer()
    cli.add_plugin_commands(app)
    assert ([command.name for command in app.registered_commands], capsys.readouterr().err) == (["spool"], "")


def test_plugins_are_listed_with_what_is_wrong_with_them(installed):
    runner = CliRunner()
    listed = runner.invoke(cli.app, ["plugins", "list"])
    assert listed.exit_code == 0
    assert [line.split()[:3] for line in listed.output.splitlines()] == [
        ["group", "name", "package"],
        ["fapilog.commands", "broken", "available"],
        ["fapilog.commands", "spool", "available"],
    ]
    checked = runner.invoke(cli.app, ["plugins", "list", "--check", "--json"])
    assert checked.exit_code == 1
    assert [
        (plugin["name"], plugin["status"], plugin["problem"]) for plugin in json.loads(checked.stdout)
    ] == [
        ("broken", "broken", "ModuleNotFoundError: No module named 'a_module_that_does_not_exist'"),
        ("spool", "loaded", ""),
    ]


def test_a_command_that_typer_cannot_make_is_broken(installed, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "spool", 5)
    checked = CliRunner().invoke(cli.app, ["plugins", "list", "--check", "--json"])
    assert [plugin["status"] for plugin in json.loads(checked.stdout)] == ["broken", "broken"]


def test_without_plugins_the_list_says_so(monkeypatch):
    monkeypatch.setattr("fapilog.plugins.registry._installed", lambda group: ())
    listed = CliRunner().invoke(cli.app, ["plugins", "list", "--check"])
    assert (listed.exit_code, listed.output) == (0, "no plugins are installed\n")
