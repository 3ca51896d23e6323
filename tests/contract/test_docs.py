"""The reference pages say what the code does: generated parts are current, codes and names have a place."""

import doctest
import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from fapilog.cli.main import app
from fapilog.diagnostics import NOTICES
from fapilog.error_codes import CODES
from fapilog.errors import ConfigurationError
from fapilog.event import CONTEXT_NAMES
from fapilog.settings import Settings
from fapilog.settings.variables import ROWS, VARIABLE_NAMES

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
SEND_TO_VENDORS = "../how-to/send_to_vendors.md"
PROFILES = "../how-to/compliance_profiles.md"
GENERATED = [
    "cli.md",
    "environment.md",
    "errors.md",
    "events.md",
    "fastapi_settings.md",
    "plugins.md",
    "redaction_types.md",
    "settings.md",
    SEND_TO_VENDORS,
    PROFILES,
]


@pytest.fixture(scope="module")
def generate():
    path = list(sys.path)
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


@pytest.mark.parametrize(
    "name",
    ["errors", "severity", "event", "diagnostics", "plugins.registry", "settings.model", "settings.parse"],
)
def test_the_examples_in_docstrings_run(name):
    result = doctest.testmod(importlib.import_module(f"fapilog.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)


def page(name):
    return (REFERENCE / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", GENERATED)
def test_the_committed_page_is_what_the_generator_writes(name, generate):
    assert "<!-- begin generated: " in page(name)
    assert generate.generated(page(name)) == page(name), "run: python docs/generate.py"


def test_every_generated_part_is_on_a_page(generate):
    used = set(re.findall(r"<!-- begin generated: (\w+) -->", "".join(page(name) for name in GENERATED)))
    assert used == set(generate.PARTS)


def test_the_generator_rewrites_only_what_is_between_its_markers(generate, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "REFERENCE", tmp_path / "docs" / "reference")
    generate.REFERENCE.mkdir(parents=True)
    stale = generate.REFERENCE / "a.md"
    stale.write_text("before\n<!-- begin generated: tree -->\nold\n<!-- end generated -->\nafter\n")
    generate.main()
    generate.main()
    assert stale.read_text().startswith("before\n<!-- begin generated: tree -->\n\n```\nFapilogError")
    assert stale.read_text().endswith("```\n\n<!-- end generated -->\nafter\n")
    assert capsys.readouterr().out == "rewrote docs/reference/a.md\n"


def test_every_error_code_and_every_notice_has_its_heading_and_no_other_has():
    headings = re.findall(r"^### (\S+)$", page("errors.md"), re.MULTILINE)
    assert headings == [*CODES, *NOTICES]


def test_every_line_that_the_code_says_on_stderr_has_a_code_with_a_heading():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "fapilog").rglob("*.py"))
    said = set(re.findall(r"\bsay\(\s*\"([a-z-]+)\"", sources))
    assert said - {*CODES, *NOTICES} == set()


def test_every_code_that_the_core_tells_an_application_is_one_that_errors_have():
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "native" / "src").rglob("*.rs"))
    said = re.findall(r"\bsay\(\s*\"([a-z-]+)\"", sources)
    named = re.findall(r"\"((?:spool|ring|export|endpoint|fallback|dead)-[a-z-]+)\"(?=[,)\s])", sources)
    # What a caller of the core did wrong: nobody outside of it can.
    inner = {"spool-misused", "spool-not-found"}
    assert {*said, *named} - inner - {*CODES} == set()


def test_every_setting_and_every_variable_is_in_its_table():
    settings, environment = page("settings.md"), page("environment.md")
    assert [name for name in ROWS if f"| `{name}` |" not in settings] == []
    assert [name for name in VARIABLE_NAMES if f"| `{name}` |" not in environment] == []
    assert [key for key in CONTEXT_NAMES if f"| `{key}` |" not in page("events.md")] == []


def test_every_setting_is_described_in_a_sentence():
    def described(model):
        for field, info in model.model_fields.items():
            inner = info.annotation
            if isinstance(inner, type) and hasattr(inner, "model_fields"):
                assert inner.__doc__.endswith(".")
                yield from described(inner)
            else:
                yield field, info.description

    assert [field for field, text in described(Settings) if not (text or "").endswith(".")] == []


def test_every_command_of_the_core_has_its_heading():
    headings = re.findall(r"^## (.+)$", page("cli.md"), re.MULTILINE)
    for command in app.registered_commands:
        assert f"fapilog {command.name or command.callback.__name__}" in headings
    for group in app.registered_groups:
        for command in group.typer_instance.registered_commands:
            assert f"fapilog {group.name} {command.name or command.callback.__name__}" in headings


def test_the_settings_file_on_the_page_loads(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", page("settings.md"), re.DOTALL)[1]
    path = tmp_path / "fapilog.yaml"
    path.write_text(example)
    settings = Settings.load(path, environ={})
    assert (settings.buffer.overflow, settings.otlp.header_pairs()) == (
        "wait",
        (("authorization", "Basic abc"),),
    )


def test_the_error_on_the_page_is_what_is_raised():
    example = re.search(
        r"```\n(fapilog\.errors\.ConfigurationError: .*?)\n```", page("errors.md"), re.DOTALL
    )[1]
    environ = {"OTEL_BLRP_MAX_QUEUE_SIZE": "256", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "512"}
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ=environ)
    assert example == f"fapilog.errors.ConfigurationError: {caught.value}"
