"""Vendor presets: the data is whole and holds no secret, and what was set explicitly wins over it."""

import base64
import string
import tomllib
from urllib.parse import urlsplit

import pytest

from fapilog.errors import ConfigurationError
from fapilog.settings import presets
from fapilog.settings.presets import FILE, Preset

PRESETS = presets.load()
KEY = "sEcReT-kEy"


def parameters_of(preset: Preset) -> dict[str, str]:
    """Something for every parameter."""
    samples = {"url": "http://loki:3100"}
    return {
        name: next(iter(parameter.choices), samples.get(name, f"{name}-x"))
        for name, parameter in preset.parameters.items()
    }


def chosen(preset: Preset, **changes) -> dict[str, object]:
    given = {"preset": preset.name, "preset_parameters": parameters_of(preset)}
    key = {} if preset.auth in ("none", "function") else {"api_key": KEY}
    return {"otlp": given | key | changes}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_a_preset_fills_its_templates(preset, load):
    otlp = load(**chosen(preset)).otlp
    url = urlsplit(otlp.endpoint)
    assert (url.path.endswith("/v1/logs"), "{" in otlp.endpoint) == (True, False)
    assert url.scheme == "https" or preset.name == "loki"
    assert {name for name, _ in otlp.header_pairs()} == set(preset.headers)
    assert not any("{" in value for _, value in otlp.header_pairs())
    assert (otlp.protocol, otlp.compression) == (preset.protocols[0], preset.compression or "gzip")
    assert otlp.max_request_bytes == (preset.max_request_bytes or 64 * 1024 * 1024)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_data_is_whole(preset):
    templates = [preset.endpoint, preset.username, *preset.headers.values()]
    names = {name for template in templates for _, name, _, _ in string.Formatter().parse(template) if name}
    assert names - {"api_key", "basic"} == set(preset.parameters)
    uses_key = {"api_key": "api_key" in names, "basic": "basic" in names}
    assert uses_key.get(preset.auth, False) or (
        preset.auth in ("none", "function") and not any(uses_key.values())
    )
    assert bool(preset.username) == (preset.auth == "basic")
    assert preset.source.startswith("https://")
    assert set(preset.protocols) <= {"http/protobuf", "grpc"}
    for text in (preset.note, preset.unverified, *(one.about for one in preset.parameters.values())):
        assert "|" not in text
    assert all(text.endswith(".") for text in (preset.note, preset.unverified) if text)


def test_the_file_holds_no_secret():
    text = FILE.read_text(encoding="utf-8")
    for raw in tomllib.loads(text).values():
        for value in raw["headers"].values():
            assert "{" in value, "a header of a preset is a template"
    assert not any(len(word) > 40 and word.isalnum() for word in text.split())


def test_the_vendors_of_the_plan_are_there():
    vendors = {"datadog", "grafana_cloud", "loki", "honeycomb", "new_relic", "elastic"}
    assert set(PRESETS) == vendors | {"cloudwatch", "google", "azure"}


def test_a_preset_is_the_origin_of_what_it_fills_in(load):
    environ = {"FAPILOG_OTLP_PRESET": "Honeycomb", "FAPILOG_OTLP_API_KEY": KEY}
    shown = {
        row.name: (row.value, row.origin) for row in load(environ).explain() if row.name.startswith("otlp.")
    }
    assert {name: row for name, row in shown.items() if row[1] != "default"} == {
        "otlp.preset": ("honeycomb", "FAPILOG_OTLP_PRESET"),
        "otlp.api_key": ("***", "FAPILOG_OTLP_API_KEY"),
        "otlp.protocol": ("http/protobuf", "preset honeycomb"),
        "otlp.endpoint": ("https://api.honeycomb.io/v1/logs", "preset honeycomb"),
        "otlp.headers": ({"x-honeycomb-team": "***"}, "preset honeycomb"),
    }
    assert KEY not in repr(load(environ))


def test_the_key_of_basic_authentication_goes_with_the_instance(load):
    preset = PRESETS["grafana_cloud"]
    [(name, value)] = load(**chosen(preset)).otlp.header_pairs()
    assert (name, base64.b64decode(value.removeprefix("Basic ")).decode()) == (
        "authorization",
        f"instance-x:{KEY}",
    )


def test_explicit_settings_win_and_headers_are_added(load):
    otlp = load(
        {"FAPILOG_OTLP_PRESET": "new_relic", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://proxy:1/x"},
        otlp={"headers": "API-Key=mine,extra=1", "max_request_bytes": 5},
    ).otlp
    assert (otlp.endpoint, otlp.max_request_bytes) == ("http://proxy:1/x", 5)
    assert dict(otlp.header_pairs()) == {"api-key": "mine", "extra": "1"}


def test_headers_of_the_caller_stand_beside_those_of_the_preset(load):
    otlp = load(
        {"OTEL_EXPORTER_OTLP_HEADERS": "x-honeycomb-dataset=d"},
        otlp={"preset": "honeycomb", "api_key": KEY},
    ).otlp
    assert dict(otlp.header_pairs()) == {"x-honeycomb-dataset": "d", "x-honeycomb-team": KEY}


def test_headers_given_as_text_stand_beside_those_of_the_preset(load):
    otlp = load(otlp={"preset": "honeycomb", "api_key": KEY, "headers": "x-honeycomb-dataset=d"}).otlp
    assert dict(otlp.header_pairs()) == {"x-honeycomb-dataset": "d", "x-honeycomb-team": KEY}


def test_a_preset_of_a_file_is_filled_in(load, tmp_path):
    path = tmp_path / "fapilog.yaml"
    path.write_text("otlp: {preset: datadog, preset_parameters: {site: datadoghq.eu}}\n")
    settings = load({"FAPILOG_OTLP_API_KEY": KEY}, path)
    assert (settings.otlp.endpoint, settings.origin("otlp.preset")) == (
        "https://otlp.datadoghq.eu/v1/logs",
        str(path),
    )


def test_grpc_sends_to_host_and_port_of_the_preset(load):
    otlp = load({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, **chosen(PRESETS["elastic"])).otlp
    assert (otlp.endpoint, otlp.protocol) == ("https://host-x", "grpc")


def test_changed_settings_follow_the_preset_and_keep_what_was_explicit(load):
    before = load(
        {"OTEL_EXPORTER_OTLP_HEADERS": "extra=1"}, otlp={"preset": "honeycomb", "api_key": KEY}, level="debug"
    )
    after = before.with_changes(**{"otlp.preset": "new_relic"})
    assert after.otlp.endpoint == "https://otlp.nr-data.net/v1/logs"
    assert dict(after.otlp.header_pairs()) == {"extra": "1", "api-key": KEY}
    assert (after.origin("otlp.headers"), after.origin("otlp.endpoint"), after.level) == (
        "OTEL_EXPORTER_OTLP_HEADERS",
        "preset new_relic",
        before.level,
    )
    assert before.with_changes(level="debug") == before


WRONG = [
    (
        {"preset": "honeycomb"},
        "preset-incomplete",
        "the preset honeycomb needs an API key",
        "set otlp.api_key (FAPILOG_OTLP_API_KEY)",
    ),
    (
        {
            "preset": "cloudwatch",
            "api_key": KEY,
            "preset_parameters": {"region": "eu-west-1", "log_group": "g"},
        },
        "preset-incomplete",
        "the preset cloudwatch needs the parameter log_stream",
        "add log_stream=... to otlp.preset_parameters (FAPILOG_OTLP_PRESET_PARAMETERS): the log stream",
    ),
    (
        {"preset": "honeycomb", "api_key": KEY, "preset_parameters": {"region": "mars"}},
        "preset-incomplete",
        "the preset honeycomb does not know this region",
        "set region of otlp.preset_parameters to one of us, eu",
    ),
    (
        {"preset": "honeycomb", "api_key": KEY, "preset_parameters": {"regoin": "eu"}},
        "preset-incomplete",
        "the preset honeycomb has no parameter regoin",
        "remove it; known: region",
    ),
    (
        {"preset": "datadog", "api_key": KEY, "protocol": "grpc"},
        "protocol-conflict",
        "the vendor does not take OTLP over grpc",
        "set otlp.protocol to http/protobuf",
    ),
    (
        {"preset": "honeycom"},
        "setting-invalid",
        "otlp.preset names a preset that does not exist",
        f"set otlp.preset to one of {', '.join(PRESETS)}",
    ),
]


@pytest.mark.parametrize(("otlp", "code", "what", "remedy"), WRONG, ids=[row[2] for row in WRONG])
def test_what_is_missing_is_named(otlp, code, what, remedy, load):
    with pytest.raises(ConfigurationError) as caught:
        load(otlp=otlp)
    assert (caught.value.code, caught.value.what, caught.value.remedy) == (code, what, remedy)
    assert KEY not in str(caught.value)


def test_everything_that_is_missing_is_named_at_once(load):
    with pytest.raises(ConfigurationError) as caught:
        load(otlp={"preset": "cloudwatch"})
    assert [problem.what for problem in caught.value.problems] == [
        f"the preset cloudwatch needs {what}"
        for what in (
            "the parameter region",
            "an API key",
            "the parameter log_group",
            "the parameter log_stream",
        )
    ]


def test_a_parameter_that_is_not_needed_may_be_missing(load):
    otlp = load(
        otlp={"preset": "elastic", "endpoint": "http://h:1/x", "headers": {"authorization": "x"}}
    ).otlp
    assert (otlp.endpoint, dict(otlp.header_pairs())) == ("http://h:1/x", {"authorization": "x"})
