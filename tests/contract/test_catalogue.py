"""The catalogue of `fapilog plugins search` names what this repository has, and nothing else."""

import tomllib

from fapilog.cli.plugin_tools.catalogue import catalogue
from fapilog.plugins import EXPORTERS, GROUPS, INSTRUMENTORS, PROFILES
from tests.contract.snippets import ROOT

KINDS = {EXPORTERS: "exporter", INSTRUMENTORS: "instrumentor", PROFILES: "profile"}
FOLDERS = ("exporters", "instrumentation", "plugins")


def plugins_of_this_repository() -> dict[str, set[str]]:
    """Kind and name of each plugin, by its distribution."""
    found = {}
    for path in sorted(path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*/pyproject.toml")):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        points = project.get("entry-points", {})
        found[project["name"]] = {
            f"{KINDS[group]} {name}" for group in points if group in GROUPS for name in points[group]
        }
    return found


def test_the_catalogue_has_the_packages_of_this_repository_with_all_their_plugins():
    assert {each.name: set(each.plugins) for each in catalogue() if each.ours} == plugins_of_this_repository()


def test_every_package_of_this_repository_brings_a_plugin_and_so_can_be_installed():
    assert [name for name, plugins in plugins_of_this_repository().items() if not plugins] == []
