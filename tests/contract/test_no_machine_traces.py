"""The repository carries no trace of the machine it was written on."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Home and work folders. A path inside an address (host/work/...) is not one of them.
MACHINE_PATH = re.compile(
    r"(?<![\w.\-/])/(?:root|work|workspace|github|builds|home/[\w\-]+|Users/[\w\-]+)/[\w.\-]"
)
# Hosts that only a tool's own configuration may name: the default index is everybody's.
REGISTRY_HOST = re.compile(
    r"\b(?:files\.pythonhosted\.org|pypi\.org/simple|(?:index|static)\.crates\.io|proxy\.golang\.org|registry\.npmjs\.org)\b"
)
REGISTRY_OPTION = re.compile(r"--(?:extra-)?index-url\b|--find-links\b|\breplace-with\s*=|\bGOPROXY=")


def tracked_files() -> list[Path]:
    """Return the files that git tracks; a source archive has no git and nothing to check."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def hits(pattern: re.Pattern[str]) -> list[str]:
    """Return `file:line: text` of every match in a tracked file other than this one."""
    found = []
    for path in tracked_files():
        if path == Path(__file__).resolve():
            continue
        text = path.read_bytes().decode("utf-8", "replace")
        for number, line in enumerate(text.splitlines(), 1):
            if match := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    return found


def test_no_tracked_file_holds_an_absolute_path_of_a_machine():
    assert hits(MACHINE_PATH) == []


def test_no_tracked_file_names_a_registry_host():
    assert hits(REGISTRY_HOST) == []


def test_no_tracked_file_chooses_a_registry():
    assert hits(REGISTRY_OPTION) == []


@pytest.mark.parametrize("trace", ["/home/alice/project", 'open("/work/x")', "/root/.cargo"])
def test_a_machine_path_is_recognised(trace: str):
    assert MACHINE_PATH.search(trace)


@pytest.mark.parametrize("innocent", ["https://example.org/work/x", "native/src/work/x", "/work", "/v1/logs"])
def test_an_ordinary_path_is_left_alone(innocent: str):
    assert not MACHINE_PATH.search(innocent)


def test_no_file_holds_what_a_merge_left():
    assert hits(re.compile(r"^(?:<{7}|>{7}|\|{7}) ")) == []
