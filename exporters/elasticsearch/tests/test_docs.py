"""The table of settings is that of the code."""

from pathlib import Path
from typing import Any

from fapilog_exporter_elasticsearch import ElasticsearchSettings

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "elasticsearch.md"


def row(name: str, field: Any) -> str:
    """The line of one setting."""
    default = ", ".join(field.default) if isinstance(field.default, tuple) else field.default
    return f"| `{name}` | {'-' if default is None else f'`{default}`'} | {field.description} |"


def test_every_setting_is_in_the_table_as_it_is():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [row(name, field) for name, field in ElasticsearchSettings.model_fields.items()]
    assert [line for line in rows if line not in page] == []
