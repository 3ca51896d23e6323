"""Whatever is put into variables, arguments and files: settings, or one ConfigurationError. Nothing else."""

import io
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fapilog import diagnostics
from fapilog.errors import ConfigurationError
from fapilog.settings import Settings
from fapilog.settings.variables import ROWS, VARIABLE_NAMES

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
SETTING_NAMES = st.sampled_from([*ROWS, *Settings.model_fields])


@pytest.fixture(scope="module", autouse=True)
def quiet():
    """The voice speaks into a buffer: what it says has its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diagnostics, "say", diagnostics.Voice(io.StringIO()).say)
        yield


def outcome(**arguments):
    settings = error = None
    try:
        settings = Settings.load(**arguments)
    except ConfigurationError as raised:
        error = raised
    if error is not None:
        assert [problem for problem in error.problems if not (problem.what and problem.remedy)] == []
        return str(error)
    assert hash(settings) == hash(settings.model_copy())
    json.dumps(settings.explain().plain())
    return repr(settings) + str(settings.explain())


@given(st.dictionaries(st.sampled_from(sorted(VARIABLE_NAMES)), st.text()))
def test_any_environment(environ):
    assert outcome(environ=environ)


@given(st.dictionaries(SETTING_NAMES | st.text(), PLAIN))
def test_any_arguments(values):
    values = {name: value for name, value in values.items() if not name.startswith("_")}
    values.pop("path", None)
    values.pop("environ", None)
    assert outcome(environ={}, **values)


@given(PLAIN | st.dictionaries(SETTING_NAMES | st.text(), PLAIN))
def test_any_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("any") / "settings.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert outcome(environ={}, path=path)


@given(st.binary())
def test_any_bytes_as_a_file(tmp_path_factory, content):
    for name in ("settings.yaml", "settings.json"):
        path = tmp_path_factory.mktemp("any") / name
        path.write_bytes(content)
        assert outcome(environ={}, path=path)


@given(st.text(min_size=6, alphabet="abcdefghijklmnopqrstuvwxyz").map(lambda text: f"Zq{text}"), st.text())
def test_a_secret_header_is_never_shown(secret, noise):
    for headers in (
        f"authorization={secret}{noise}",
        f"{noise}={secret}",
        {"a": secret + noise},
        {noise: secret},
    ):
        assert secret not in outcome(environ={}, otlp={"headers": headers})
        if isinstance(headers, str):
            assert secret not in outcome(environ={"OTEL_EXPORTER_OTLP_HEADERS": headers})
