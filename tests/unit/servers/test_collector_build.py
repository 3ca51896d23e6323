"""The builder of the Collector, with a stand-in for Go."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.servers.go_program import GoBuildError, GoMissing
from tests.servers.otelcol import build as builder

GO = """#!/bin/sh
echo built >> "{log}"
echo "$CGO_ENABLED $*" > "{log}.command"
while [ "$1" != "-o" ]; do shift; done
echo binary > "$2"
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(builder, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def install_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (tmp_path / "bin").mkdir()
    go = tmp_path / "bin" / "go"
    go.write_text(script)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")


def test_without_go_and_without_a_binary_it_says_that_go_is_missing(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GoMissing, match=r"Go is not installed \(needed to build the Collector\)"):
        builder.build()


def test_a_binary_of_these_sources_is_used_without_go(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    builder.binary_path().parent.mkdir(parents=True)
    builder.binary_path().touch()
    assert builder.build() == builder.binary_path()


def test_builds_at_the_same_time_build_once(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    install_go(tmp_path, monkeypatch, GO.format(log=log))
    with ThreadPoolExecutor(4) as pool:
        paths = {future.result() for future in [pool.submit(builder.build) for _ in range(4)]}
    assert (paths, log.read_text()) == ({builder.binary_path()}, "built\n")
    assert builder.binary_path().read_text() == "binary\n"
    assert (tmp_path / "log.command").read_text().startswith("0 build -trimpath ")


def test_a_build_that_fails_shows_what_go_said_and_leaves_no_binary(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_go(tmp_path, monkeypatch, "#!/bin/sh\necho 'missing go.sum entry' >&2\nexit 1\n")
    with pytest.raises(GoBuildError, match=r"missing go\.sum entry"):
        builder.build()
    assert not builder.binary_path().exists()


def test_other_sources_have_another_binary(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = builder.binary_path()
    for name in ("go.mod", "go.sum", "main.go"):
        (tmp_path / name).write_bytes((builder.SOURCES / name).read_bytes())
    monkeypatch.setattr(builder, "SOURCES", tmp_path)
    assert builder.binary_path() == before
    (tmp_path / "go.sum").write_text("other")
    assert builder.binary_path() != before
