"""Run the tests that face OpenTelemetry on its oldest supported release, and on a newer one than `.venv` has.

    sdk_matrix.py floor     the lowest release that pyproject.toml allows
    sdk_matrix.py newest    what the package index has, unless `.venv` has it already: then its tests ran

Each has a virtual environment in `.cache/sdk`, kept until the requirements change.
What is not of OpenTelemetry comes from `.venv`; pip installs the rest and changes what does not fit.
fapilog is not built again: the environment gets the metadata of `.venv` and a path to this checkout with its
compiled module.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / ".venv"
CACHE = ROOT / ".cache" / "sdk"
# What reads, extends or replaces something of OpenTelemetry.
TESTS = (
    "../instrumentation/fastapi/tests/test_spans.py",
    "../instrumentation/fastapi/tests/test_zero_code.py",
    "unit/bridges",
    "unit/test_batch.py",
    "unit/test_limits.py",
    "unit/test_native_attributes.py",
    "unit/test_otel_emit.py",
    "unit/test_otel_private.py",
    "unit/test_processors.py",
    "unit/test_provider.py",
    "unit/test_redacting_baggage.py",
    "unit/test_redacting_fastapi.py",
    "unit/test_redacting_logs.py",
    "unit/test_redacting_metrics.py",
    "unit/test_redacting_setup.py",
    "unit/test_redacting_spans.py",
    "unit/test_resource_detector.py",
    "unit/test_self_observability.py",
    "unit/test_signal_carriers.py",
    "unit/test_signals.py",
    "unit/test_span_events.py",
    "unit/test_telemetry.py",
    "unit/testing/test_receiver.py",
)
# Each starts processes, so these are chosen: one per door and per private name.
CHOSEN = {
    "integration/test_zero_code.py": (
        "test_every_door_for_records_leads_to_our_pipeline_and_nothing_is_said",
        "test_records_spans_and_metrics_share_the_resource_that_names_the_distribution",
        "test_configure_otel_that_asks_for_something_else_says_what_differs",
        "test_forked_children_deliver_everything_once_with_their_spans",
        "test_trap_1_without_the_variable_the_stock_distribution_keeps_its_own_configurator",
        "test_trap_6_the_helpers_of_multiprocessing_are_left_alone",
        "test_the_logging_instrumentation_of_opentelemetry_bridges_nothing_a_second_time",
        "test_a_disabled_sdk_records_nothing",
    ),
    "integration/test_otel_config_setup.py": (
        "test_limits_secrets_and_the_resource_of_the_file_are_in_the_records",
        "test_further_exporters_are_built_with_their_options_and_served_by_our_pipeline",
        "test_a_disabled_file_sets_up_nothing",
        "test_a_file_without_logs_sends_spans_only",
    ),
    "integration/test_other_distributions.py": (
        "test_the_exporter_takes_what_the_other_provider_exports",
        "test_what_the_other_processor_still_holds_is_delivered_after_sigterm",
        "test_our_bridge_takes_logging_where_the_stock_one_is_switched_off",
        "test_our_logger_configurator_switches_scopes_of_the_other_provider_off",
    ),
}
_ASKED = ("opentelemetry-sdk", "opentelemetry-instrumentation", "opentelemetry-configuration")
_OPENTELEMETRY = re.compile(r"^(opentelemetry-[\w-]+)")


def requirements() -> list[str]:
    """Return every requirement of the project, of its extras and of its tests."""
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = metadata["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    # What comes with this repository is not on an index before it is released.
    extras = [line for line in extras if not line.startswith("fapilog-")]
    return [*project["dependencies"], *extras, *metadata["dependency-groups"]["test"]]


def at_the_floor(lines: list[str]) -> list[str]:
    """Pin the packages of OpenTelemetry to the lowest release that the project allows.

    Stable packages and the others have one release number each; those that the project wants newer only for
    its own tests and its demo follow.
    """
    stable = _lowest("opentelemetry-sdk", lines)
    others = _lowest("opentelemetry-instrumentation", lines)
    pinned = [f"opentelemetry-semantic-conventions=={others}"]
    for line in lines:
        found = _OPENTELEMETRY.match(line)
        if found is None:
            pinned.append(line)
        else:
            pinned.append(f"{found[1]}=={others if 'b' in line.partition('>=')[2] else stable}")
    return pinned


def _lowest(package: str, lines: list[str]) -> str:
    [bound] = [line.partition(">=")[2] for line in lines if line.partition(">=")[0] == package]
    return bound if bound.count(".") == 2 or "b" in bound else f"{bound}.0"


def environment(name: str, lines: list[str]) -> Path:
    """Make the virtual environment, or take the one that was made for the same requirements."""
    home = CACHE / name
    wanted = hashlib.sha256("\n".join([sys.version, *lines]).encode()).hexdigest()
    stamp = home / "requirements.sha256"
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
        take_over(MAIN, home)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
        subprocess.run([*pip, *lines], check=True)
        stamp.write_text(wanted)
    _show_fapilog(home)
    return home


def take_over(source: Path, home: Path) -> None:
    """Link what one environment has into another, but for OpenTelemetry and what this repository brings."""
    [old_packages] = source.glob("lib/python*/site-packages")
    [new_packages] = home.glob("lib/python*/site-packages")
    for found in distributions(path=[str(old_packages)]):
        if found.name.startswith(("opentelemetry-", "fapilog")):
            continue
        for file in found.files or ():
            # Scripts lie outside of the packages, and name their interpreter.
            old, new = (Path(os.path.normpath(packages / file)) for packages in (old_packages, new_packages))
            if old.is_file():
                new.parent.mkdir(parents=True, exist_ok=True)
                _link(
                    old, new, renamed=(bytes(source), bytes(home)) if old.parent == source / "bin" else None
                )


def _link(old: Path, new: Path, *, renamed: tuple[bytes, bytes] | None) -> None:
    if renamed is not None:
        new.write_bytes(old.read_bytes().replace(*renamed, 1))
        new.chmod(old.stat().st_mode)
        return
    try:
        os.link(old, new)
    except OSError:
        # Another file system, or one without links.
        shutil.copy2(old, new)


def _show_fapilog(home: Path) -> None:
    """Let the environment find this checkout, with entry points, as `.venv` does."""
    [packages] = home.glob("lib/python*/site-packages")
    [metadata] = MAIN.glob("lib/python*/site-packages/fapilog-*.dist-info")
    shutil.copytree(metadata, packages / metadata.name, dirs_exist_ok=True)
    # It reads its own version. Its entry point stays away: tests of other doors count on stock instrumentors.
    [fastapi] = MAIN.glob("lib/python*/site-packages/fapilog_instrumentation_fastapi-*.dist-info")
    without = shutil.ignore_patterns("entry_points.txt")
    shutil.copytree(fastapi, packages / fastapi.name, dirs_exist_ok=True, ignore=without)
    (packages / "fapilog.pth").write_text(f"{ROOT}\n")


def newer_releases() -> list[str] | None:
    """Return what the index has newer than `.venv`, as `name==version`; None when it does not answer."""
    command = [MAIN / "bin" / "python", "-m", "pip", "install", "--dry-run", "--upgrade", "--quiet"]
    command += ["--report", "-", *_ASKED]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return None
    found = (item["metadata"] for item in json.loads(done.stdout)["install"])
    return sorted(f"{item['name']}=={item['version']}" for item in found)


def run(home: Path) -> int:
    """Run the tests in an environment; return pytest's status."""
    python = home / "bin" / "python"
    version = "from importlib.metadata import version; print(version('opentelemetry-sdk'))"
    sys.stdout.write("opentelemetry-sdk " + subprocess.check_output([python, "-c", version], text=True))
    sys.stdout.flush()
    chosen = [f"{module}::{name}" for module, names in CHOSEN.items() for name in names]
    tests = [str(ROOT / "tests" / name) for name in (*TESTS, *chosen)]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def main() -> int:
    """Do what the command line asks for."""
    name = sys.argv[1]
    if name == "floor":
        return run(environment(name, at_the_floor(requirements())))
    newer = newer_releases()
    if newer is None:
        reason = "the package index does not say what is newer than .venv"
        return subprocess.call([ROOT / "tools" / "check.sh", "skipped", "newest OpenTelemetry", reason])
    if not newer:
        sys.stdout.write("nothing is newer than .venv, whose tests are part of `make test`\n")
        return 0
    sys.stdout.write(f"newer than .venv: {', '.join(newer)}\n")
    return run(environment(name, [*requirements(), *newer]))


if __name__ == "__main__":
    raise SystemExit(main())
