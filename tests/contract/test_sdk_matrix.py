"""The run on other releases of OpenTelemetry: it pins what it says, and the tests that it names exist."""

import re

import pytest

from tests.contract.snippets import ROOT
from tools import sdk_matrix


def test_the_floor_pins_every_package_of_opentelemetry_to_the_lowest_release():
    lines = ["opentelemetry-sdk>=1.45", "opentelemetry-instrumentation>=0.66b0", "pytest>=9"]
    assert sdk_matrix.at_the_floor([*lines, "opentelemetry-instrumentation-fastapi>=0.66b1"]) == [
        "opentelemetry-semantic-conventions==0.66b0",
        "opentelemetry-sdk==1.45.0",
        "opentelemetry-instrumentation==0.66b0",
        "pytest>=9",
        "opentelemetry-instrumentation-fastapi==0.66b0",
    ]


def test_the_floor_of_the_project_is_an_exact_release():
    pinned = [line for line in sdk_matrix.at_the_floor(sdk_matrix.requirements()) if "opentelemetry" in line]
    assert [line for line in pinned if not re.fullmatch(r"[a-z-]+==(1\.45\.0|0\.66b0)", line)] == []


@pytest.mark.parametrize("name", [*sdk_matrix.TESTS, *sdk_matrix.CHOSEN])
def test_what_is_run_exists(name: str):
    path = ROOT / "tests" / name
    assert path.exists()
    chosen = sdk_matrix.CHOSEN.get(name, ())
    assert [test for test in chosen if f"def {test}(" not in path.read_text(encoding="utf-8")] == []
