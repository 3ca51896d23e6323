"""Plugins of installed packages: found by group, loaded when used, a broken one alone is left out."""

import sys
from importlib.metadata import EntryPoint, distributions

import pytest

from fapilog import diagnostics
from fapilog.errors import ConfigurationError
from fapilog.plugins import GROUPS, Plugin, PluginPolicy, Plugins
from tests.unit.distributions import install


@pytest.fixture(autouse=True)
def said(monkeypatch):
    """Every line about plugins."""
    lines = []
    voice = diagnostics.Voice()

    def say(code, message, about=""):
        if voice._due((code, about)) is not None:
            lines.append(message)

    monkeypatch.setattr("fapilog.plugins.registry.say", say)
    return lines


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that packages are installed into."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    before = set(sys.modules)
    yield folder
    for name in set(sys.modules) - before:
        del sys.modules[name]


GOOD = """
    class Batch:
        async def process(self, batch):
            return batch

    def make():
        return Batch()

    finished = Batch()

    class Tenant:
        def __call__(self):
            return {"tenant": "a"}

    team = {"team": "x"}

    def user():
        return {"user.id": 7}

    def detector():
        return {"ticket": {"pattern": "TCK-[0-9]{6}"}}
"""


def test_a_package_is_listed_with_its_version_and_not_imported(site):
    install(site, "acme-logs", {"fapilog.enrichers": {"team": "acme_logs:team"}}, GOOD, "2.1")
    (plugin,) = [found for found in Plugins().listed() if found.distribution == "acme-logs"]
    assert plugin == Plugin("team", "fapilog.enrichers", "acme-logs", "2.1", "acme_logs:team")
    assert "acme_logs" not in sys.modules


@pytest.mark.parametrize(
    ("group", "target", "kind"),
    [
        ("fapilog.processors", "Batch", "Batch"),
        ("fapilog.processors", "make", "Batch"),
        ("fapilog.processors", "finished", "Batch"),
        ("fapilog.enrichers", "Tenant", "Tenant"),
        ("fapilog.enrichers", "team", "dict"),
        ("fapilog.enrichers", "user", "function"),
        ("fapilog.detectors", "team", "dict"),
        ("fapilog.detectors", "detector", "dict"),
        ("fapilog.profiles", "team", "dict"),
    ],
)
def test_a_class_or_a_function_makes_the_plugin_and_a_finished_one_is_taken_as_it_is(
    site, group, target, kind
):
    install(site, "acme", {group: {"mine": f"acme:{target}"}}, GOOD)
    plugins = Plugins()
    assert type(plugins.make(group, "mine", "enrichers")).__name__ == kind
    assert [found.status for found in plugins.listed() if found.name == "mine"] == ["loaded"]


def test_each_user_gets_an_object_of_its_own_where_a_class_makes_it(site):
    install(site, "acme", {"fapilog.processors": {"mine": "acme:Batch"}}, GOOD)
    plugins = Plugins()
    first, second = (plugins.make("fapilog.processors", "mine", "processors") for _ in range(2))
    assert first is not second


BROKEN = {
    "import error": ("nowhere:x", "", "ModuleNotFoundError: No module named 'nowhere'"),
    "no such object": ("acme:x", "y = 1", "AttributeError: module 'acme' has no attribute 'x'"),
    "module that raises": ("acme:x", "raise RuntimeError('no\\nluck')", "RuntimeError: no\\nluck"),
    "module that exits": ("acme:x", "raise SystemExit(3)", "SystemExit: 3"),
    "raising factory": ("acme:x", "def x(): raise ValueError('key missing')", "ValueError: key missing"),
    "factory that wants arguments": (
        "acme:x",
        "def x(key): pass",
        "TypeError: x() missing 1 required positional argument: 'key'",
    ),
    "nothing": ("acme:x", "x = None", "TypeError: it points at None"),
    "wrong type": (
        "acme:x",
        "x = 5",
        f"TypeError: int is not what the group holds. {GROUPS['fapilog.processors']}",
    ),
    "other contract": (
        "acme:x",
        "class x:\n    fapilog_contract = 2",
        "TypeError: it is made for plugin contract 2, this fapilog has 1: update fapilog",
    ),
}


@pytest.mark.parametrize(("target", "code", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_once_and_the_others_go_on(site, said, target, code, problem):
    (site / "acme.py").write_text(code)
    install(site, "acme-broken", {"fapilog.processors": {"bad": target}}, version="0.3")
    install(site, "good", {"fapilog.processors": {"good": "good:Batch"}}, GOOD)
    plugins = Plugins()
    assert [plugins.make("fapilog.processors", "bad", "processors") for _ in range(3)] == [None] * 3
    assert plugins.make("fapilog.processors", "good", "processors") is not None
    assert said == [f"plugin bad of fapilog.processors (acme-broken 0.3) is left out: {problem}"]
    assert {
        found.name: (found.status, found.problem) for found in plugins.listed() if found.name == "bad"
    } == {"bad": ("broken", problem)}


@pytest.mark.parametrize(("target", "code", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_check_makes_plugins_as_their_use_does(site, said, target, code, problem):
    (site / "acme.py").write_text(code)
    install(site, "acme-broken", {"fapilog.processors": {"bad": target}}, version="0.3")
    (plugin,) = [found for found in Plugins().listed(check=True) if found.name == "bad"]
    assert (plugin.status, plugin.problem) == ("broken", problem)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("async def x(batch): return batch", "loaded"),
        ("class x:\n    async def process(self, batch): return batch", "loaded"),
        ("class x:\n    def process(self, batch): return batch", "broken"),
        ("class x:\n    def on_emit(self, record): pass", "broken"),
        (
            "class x:\n    def on_emit(self, record): pass\n    def shutdown(self): pass\n"
            "    def force_flush(self, timeout_millis): pass",
            "loaded",
        ),
    ],
)
def test_a_processor_is_async_or_has_what_one_of_opentelemetry_has(site, said, code, status):
    (site / "acme.py").write_text(code)
    install(site, "acme", {"fapilog.processors": {"mine": "acme:x"}})
    (plugin,) = [found for found in Plugins().listed(check=True) if found.name == "mine"]
    assert plugin.status == status


@pytest.mark.parametrize("by", ["bad", "processors:bad", "fapilog.processors:bad"])
def test_a_disabled_plugin_is_never_imported(site, said, by):
    install(site, "acme", {"fapilog.processors": {"bad": "acme:x"}}, "raise RuntimeError")
    plugins = Plugins(PluginPolicy(deny=frozenset([by])))
    assert plugins.make("fapilog.processors", "bad", "processors") is None
    (plugin,) = [found for found in plugins.listed(check=True) if found.name == "bad"]
    assert (plugin.status, plugin.problem) == ("disabled", f"plugins.deny names {by}")
    assert ("acme" in sys.modules, said) == (False, [])


def test_disabling_in_one_group_leaves_the_name_in_others(site):
    groups = {"fapilog.enrichers": {"team": "acme:team"}, "fapilog.profiles": {"team": "acme:team"}}
    install(site, "acme", groups, GOOD)
    plugins = Plugins(PluginPolicy(deny=frozenset(["profiles:team"])))
    assert plugins.make("fapilog.enrichers", "team", "enrichers") == {"team": "x"}
    assert plugins.load("fapilog.profiles", "team") is None


def test_a_name_that_two_packages_take_stays_with_the_first(said):
    points = [EntryPoint("team", f"{module}:x", "fapilog.enrichers") for module in ("a", "b")]
    plugins = Plugins(points=points)
    assert [(found.target, found.status) for found in plugins.listed()] == [
        ("a:x", "available"),
        ("b:x", "broken"),
    ]
    assert said == [
        "plugin team of fapilog.enrichers (b:x) is left out: its name is taken by"
        " plugin team of fapilog.enrichers (a:x)"
    ]


@pytest.mark.parametrize("order", [("acme", "rival"), ("rival", "acme")])
def test_a_package_that_is_denied_keeps_no_name_from_another(order, site, said):
    for package in order:
        folder = site / package
        folder.mkdir()
        install(folder, package, {"fapilog.enrichers": {"team": f"{package}:team"}}, GOOD)
    points = [
        point
        for package in order
        for found in distributions(path=[str(site / package)])
        for point in found.entry_points
    ]
    plugins = Plugins(PluginPolicy(deny=frozenset(["package:rival"])), points)
    sys.path[:0] = [str(site / package) for package in order]
    try:
        assert plugins.make("fapilog.enrichers", "team", "enrichers") == {"team": "x"}
    finally:
        del sys.path[: len(order)]
    assert [(found.distribution, found.status, found.problem) for found in plugins.listed()] == [
        ("acme", "loaded", ""),
        ("rival", "disabled", "plugins.deny names package:rival"),
    ]
    assert said == []


def test_entry_points_of_other_groups_are_not_ours():
    assert (
        Plugins(points=[EntryPoint("x", "a:b", "fapilog.unknown"), EntryPoint("x", "a:b", "other")]).listed()
        == ()
    )


def test_a_name_that_nobody_installed_is_a_configuration_error(site):
    install(site, "acme", {"fapilog.enrichers": {"team": "acme:team"}}, GOOD)
    with pytest.raises(ConfigurationError) as caught:
        Plugins().make("fapilog.enrichers", "taem", "enrichers")
    assert str(caught.value) == (
        "enrichers names a plugin that is not installed [plugin-unknown]\n"
        "  enrichers = 'taem'   from settings\n"
        "  do: correct the name, or install the package that provides it; known: team\n"
        "  see: docs/reference/errors.md#plugin-unknown"
    )


def test_a_package_with_damaged_metadata_leaves_the_others(site, said):
    install(site, "acme", {"fapilog.enrichers": {"team": "acme:team"}}, GOOD)
    install(site, "damaged", {})
    (site / "damaged-1.0.dist-info" / "entry_points.txt").write_bytes(b"[fapilog.enrichers]\nx = \xff\xfe\n")
    assert Plugins().make("fapilog.enrichers", "team", "enrichers") == {"team": "x"}
    assert [line.partition(":")[0] for line in said] == ["the entry points of damaged cannot be read"]
