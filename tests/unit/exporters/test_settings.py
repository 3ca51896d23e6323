"""Settings of exporters in packages of their own: what is wrong is named, and no secret shown."""

import pytest

from fapilog import ConfigurationError
from fapilog.exporters.settings import ExporterSettings


class PigeonSettings(ExporterSettings):
    exporter = "pigeon"
    prefix = "FAPILOG_PIGEON_"

    loft: int = 0
    lofts: tuple[int, ...] = ()


@pytest.mark.parametrize("written", ["user:s3cr3t@loft", "pigeon://loft/?key=s3cr3t", "s3cr3t@loft:9092"])
@pytest.mark.parametrize("name", ["loft", "lofts"])
def test_what_looks_like_an_address_with_a_login_is_not_shown(name, written):
    given = (written,) if name == "lofts" else written
    with pytest.raises(ConfigurationError) as by_argument:
        PigeonSettings.load({}, **{name: given})
    with pytest.raises(ConfigurationError) as by_variable:
        PigeonSettings.load({f"FAPILOG_PIGEON_{name.upper()}": written})
    for caught in (by_argument, by_variable):
        assert name in str(caught.value)
        assert "s3cr3t" not in str(caught.value)


def test_any_other_value_is_shown_with_where_it_came_from():
    with pytest.raises(ConfigurationError) as caught:
        PigeonSettings.load({"FAPILOG_PIGEON_LOFT": "north"})
    assert "loft = 'north'   from FAPILOG_PIGEON_LOFT" in str(caught.value)
