"""Contract, policy, time and health of plugins: what is refused, left out, counted, and said."""

import sys
import threading
from importlib.metadata import EntryPoint

import pytest

import fapilog
from fapilog.plugins import (
    DETECTORS,
    ENRICHERS,
    EXPORTERS,
    PluginMetadata,
    PluginPerformance,
    PluginPolicy,
    Plugins,
    PluginUnusableError,
    check_contract,
    metadata_of,
)
from fapilog.plugins.loading import within
from fapilog.plugins.metadata import CONTRACT_VERSION
from fapilog.settings import Settings
from tests.unit.distributions import install


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that packages are installed into."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("acme"):
            del sys.modules[name]


def load(**given):
    return Settings.load(environ={}, **given)


def metadata(**changes):
    return PluginMetadata(**{"name": "team", "version": "1.0", "type": "enricher", **changes})


@pytest.mark.parametrize(
    ("version", "said"),
    [
        (CONTRACT_VERSION, None),
        (2, "it is made for plugin contract 2, this fapilog has 1: update fapilog"),
        (0, "it is made for plugin contract 0, this fapilog has 1: update the plugin"),
        ("1", "its plugin contract is '1', not a whole number"),
    ],
)
def test_a_plugin_of_another_contract_is_refused_and_told_what_to_update(version, said):
    class Team:
        fapilog_plugin = metadata(api_version=version)

    if said is None:
        assert check_contract(Team) is Team.fapilog_plugin
        return
    with pytest.raises(TypeError) as caught:
        check_contract(Team)
    assert str(caught.value) == said


def test_metadata_may_stand_on_the_module_and_is_shown_once_the_plugin_is_loaded(site):
    code = """
        from fapilog import PluginMetadata
        about = "Who is on duty."
        fapilog_plugin = PluginMetadata(name="team", version="3", type="enricher", description=about)

        def team():
            return {"team": "x"}
    """
    install(site, "acme-team", {ENRICHERS: {"team": "acme_team:team"}}, code)
    plugins = Plugins()
    assert plugins.find(ENRICHERS, "team").metadata is None
    plugins.load(ENRICHERS, "team")
    found = plugins.find(ENRICHERS, "team")
    assert (found.metadata.description, found.load_seconds >= 0) == ("Who is on duty.", True)


def test_metadata_of_another_type_is_an_error():
    class Team:
        fapilog_plugin = "team 1.0"

    with pytest.raises(TypeError, match="fapilog_plugin is a str, not a PluginMetadata"):
        metadata_of(Team)


def test_settings_of_a_plugin_are_a_json_schema_whether_a_model_or_the_schema_itself():
    class Model:
        @staticmethod
        def model_json_schema():
            return {"type": "object"}

    shown = [metadata(settings=given).settings_schema() for given in (Model, {"type": "array"}, None)]
    assert shown == [{"type": "object"}, {"type": "array"}, None]
    assert metadata().performance == PluginPerformance()


@pytest.mark.parametrize("allow", ["team", "enrichers:team", "fapilog.enrichers:team", "package:acme"])
def test_what_the_list_allows_may_be_used_and_nothing_else(allow):
    policy = PluginPolicy(allow=frozenset([allow]))
    assert policy.refusal(ENRICHERS, "team", "acme") == ""
    assert policy.refusal(ENRICHERS, "other", "other") == "plugins.allow does not name it"


def test_what_is_denied_is_denied_although_it_is_allowed():
    policy = PluginPolicy(allow=frozenset(["team"]), deny=frozenset(["package:acme"]))
    assert policy.refusal(ENRICHERS, "team", "acme") == "plugins.deny names package:acme"


def test_the_old_name_of_the_setting_still_denies():
    given = load(disabled_plugins=["team"])
    by_variable = Settings.load(environ={"FAPILOG_DISABLED_PLUGINS": "team"})
    assert (given.plugins.deny, by_variable.plugins.deny) == (("team",), ("team",))


def test_a_plugin_that_hangs_while_it_is_loaded_is_left_out_in_its_time(site):
    code = "import threading; threading.Event().wait(60)\n"
    install(site, "acme-hangs", {ENRICHERS: {"hangs": "acme_hangs:x"}}, code)
    plugins = Plugins(PluginPolicy(load_seconds=0.2))
    assert plugins.make(ENRICHERS, "hangs", "enrichers") is None
    found = plugins.find(ENRICHERS, "hangs")
    assert (found.status, found.problem) == ("broken", "it did not answer within 0.2 s")


def test_a_step_runs_beside_the_caller_but_not_while_the_caller_imports(site):
    assert within(5, threading.current_thread).name == "fapilog-plugin"
    code = """
        import threading
        from fapilog.plugins.loading import within
        where = within(5, threading.current_thread).name
    """
    install(site, "acme-importing", {}, code)
    assert __import__("acme_importing").where == threading.current_thread().name


def test_an_exporter_of_another_contract_is_an_error_where_it_is_named(site):
    code = """
        class Exporter:
            fapilog_contract, name = 9, "x"

            async def export_batch(self, batch): ...
    """
    install(site, "acme-exporter", {EXPORTERS: {"acme": "acme_exporter:Exporter"}}, code)
    with pytest.raises(fapilog.ConfigurationError, match="update fapilog"):
        fapilog.LoggerProvider(exporters=["acme"], settings=load())


def test_a_denied_exporter_is_an_error_where_it_is_named_and_not_imported(site):
    install(site, "acme-denied", {EXPORTERS: {"acme": "acme_denied:Exporter"}}, "raise RuntimeError")
    settings = load(plugins={"deny": ["exporters:acme"]})
    with pytest.raises(fapilog.ConfigurationError, match=r"plugins\.deny names exporters:acme"):
        fapilog.LoggerProvider(exporters=["acme"], settings=settings)
    assert "acme_denied" not in sys.modules


def test_a_denied_profile_is_an_error_where_it_is_named():
    with pytest.raises(fapilog.ConfigurationError) as caught:
        load(compliance=["gdpr"], plugins={"deny": ["profiles:gdpr"]})
    assert (caught.value.code, "plugins.deny names profiles:gdpr" in str(caught.value)) == (
        "plugin-refused",
        True,
    )


DETECTOR = """
    rules = {"ticket": {"pattern": "TCK-[0-9]{6}"}, "project": {"words": ["Blue Heron"]}}

    def broken():
        return {"ticket": {"pattern": "("}}

    keeps = {"ticket": {"pattern": "TCK", "action": "keep"}}
    odd = {"ticket": 5}
    none = {}
"""


def detector(site, target="rules"):
    install(site, "acme-detector", {DETECTORS: {"acme": f"acme_detector:{target}"}}, DETECTOR)


@pytest.mark.parametrize("mode", ["keys", "scan"])
def test_what_a_detector_describes_is_hidden_in_records(site, mode):
    detector(site)
    given = load(redaction={"mode": mode, "detectors": ["acme"]}, capture_location="never")
    with fapilog.LoggerProvider(settings=given, exporters=["memory"]) as provider:
        provider.get_logger("shop").emit(body="TCK-123456 of Blue Heron")
        provider.force_flush()
        assert [rule.name for rule in given.redaction_in_force.rules] == ["ticket", "project"]
    from fapilog.redaction import Redactor

    text = Redactor(given.redaction_in_force).text("TCK-123456 of Blue Heron")
    assert text == "[REDACTED:ticket] of [REDACTED:project]"


def test_a_rule_of_the_user_takes_the_place_of_one_with_its_name(site):
    detector(site)
    own = {"name": "ticket", "pattern": "T-[0-9]+"}
    given = load(redaction={"detectors": ["acme"], "rules": [own]})
    rules = {rule.name: rule.pattern for rule in given.redaction_in_force.rules}
    assert rules == {"ticket": "T-[0-9]+", "project": None}


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("broken", "rule ticket: "),
        ("keeps", "rule ticket keeps values; a detector only hides"),
        ("odd", "rule ticket is a int, not a mapping"),
        ("none", "it has no rule"),
        ("nowhere", "AttributeError: module 'acme_detector' has no attribute 'nowhere'"),
    ],
)
def test_a_detector_that_cannot_be_used_is_an_error_because_what_it_hides_would_leave(site, target, why):
    detector(site, target)
    with pytest.raises(fapilog.ConfigurationError) as caught:
        load(redaction={"detectors": ["acme"]})
    assert caught.value.code == "detector-invalid"
    assert f"the detector acme cannot be used: {why}" in str(caught.value)


def test_a_detector_that_nobody_installed_is_an_error():
    with pytest.raises(fapilog.ConfigurationError) as caught:
        load(redaction={"detectors": ["acme"]})
    assert (caught.value.code, caught.value.settings[0].name) == ("plugin-unknown", "redaction.detectors")


def test_what_is_required_and_not_there_says_so():
    with pytest.raises(PluginUnusableError, match="it is not installed"):
        Plugins(points=[EntryPoint("x", "a:b", "other")]).require(EXPORTERS, "acme")


def test_health_names_each_plugin_with_its_calls_failures_and_slow_calls(site):
    install(site, "acme-out", {ENRICHERS: {"out": "nowhere:x"}})
    failing_too = threading.Event()

    def failing():
        if failing_too.is_set():
            raise ValueError
        return {"a": 1}

    given = load(plugins={"call_budget_micros": 1}, capture_location="never")
    telemetry = fapilog.configure_otel("shop", settings=given, exporters=["none"], enrichers=["out", failing])
    with telemetry:
        log = fapilog.get_logger("shop")
        for _ in range(20):
            log.info("a record")
        ok = {each.name: each for each in telemetry.health().plugins}
        failing_too.set()
        log.info("a record")
        failed = {each.name: each for each in telemetry.health().plugins}
    assert (ok["out"].status, ok["out"].kind) == ("broken", ENRICHERS)
    assert "nowhere" in ok["out"].problem
    assert (ok["failing"].calls, ok["failing"].failures, ok["failing"].kind) == (20, 0, "enricher")
    assert failed["failing"].status == "failing"
    assert failed["failing"].failures == 1


@pytest.mark.parametrize("written", ["Acme_Logs", "acme.logs", "ACME-LOGS", "acme-_logs"])
@pytest.mark.parametrize("installed", ["acme-logs", "Acme.Logs", "acme_logs"])
def test_a_package_is_denied_and_allowed_in_every_spelling_that_pip_takes(written, installed):
    listed = frozenset([f"package:{written}"])
    assert PluginPolicy(deny=listed).refusal(ENRICHERS, "team", installed) == (
        f"plugins.deny names package:{written}"
    )
    assert PluginPolicy(allow=listed).refusal(ENRICHERS, "team", installed) == ""
    assert PluginPolicy(allow=listed).refusal(ENRICHERS, "team", "other") != ""
    assert PluginPolicy(deny=frozenset(["package:"])).refusal(ENRICHERS, "team", "") == ""
