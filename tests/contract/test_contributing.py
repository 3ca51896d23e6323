"""CONTRIBUTING says what is true: each dependency has a row, each command exists, the error is real."""

import re
import tomllib

import pytest

from fapilog import ConfigurationError, Settings
from tests.contract.snippets import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CARGO = tomllib.loads((ROOT / "native" / "Cargo.toml").read_text(encoding="utf-8"))


def requirements() -> list[str]:
    """Return the names of all Python dependencies, of extras and groups too."""
    project = PROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    groups = [line for lines in PROJECT["dependency-groups"].values() for line in lines]
    build = PROJECT["build-system"]["requires"]
    lines = [*project["dependencies"], *extras, *groups, *build]
    return sorted({re.split(r"[^\w.-]", line)[0] for line in lines})


@pytest.mark.parametrize("name", [*requirements(), *CARGO["dependencies"], *CARGO["dev-dependencies"]])
def test_a_dependency_has_a_row_that_says_why(name: str):
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [why for packages, why in rows if f"`{name}`" in packages] != []


def test_every_make_target_on_the_page_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)`", PAGE)) - targets == set()


def test_the_error_on_the_page_is_what_is_raised():
    example = re.search(r"```text\n(buffer\.overflow .*?)\n```", PAGE, re.DOTALL)
    with pytest.raises(ConfigurationError) as caught:
        Settings.load(environ={"FAPILOG_OVERFLOW": "drop"})
    assert example is not None
    assert example[1] == str(caught.value)
