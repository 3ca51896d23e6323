"""The same clean environment and the same long tests as in `tests/`; OpenSearch, where it can be had."""

from collections.abc import Iterator

import pytest

from tests.conftest import _no_settings_from_the_environment, pytest_collection_modifyitems
from tests.servers.opensearch import OpenSearch, OpenSearchMissing

__all__ = ["_no_settings_from_the_environment", "opensearch", "pytest_collection_modifyitems"]


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    """One node for the whole run, with a template for data streams."""
    try:
        node = OpenSearch(tmp_path_factory.mktemp("opensearch"), http__max_content_length="1mb")
    except OpenSearchMissing as missing:
        pytest.skip(str(missing))
    with node:
        add_templates(node)
        yield node


def add_templates(node: OpenSearch) -> None:
    """Data streams for all names; `num` is a number."""
    properties = {name: {"properties": {"num": {"type": "long"}}} for name in ("attributes",)}
    template = {
        "index_patterns": ["logs-*", "ss4o_logs-*"],
        "data_stream": {},
        "priority": 200,
        "template": {
            "settings": {"number_of_replicas": 0},
            "mappings": {"properties": properties | {"num": {"type": "long"}}},
        },
    }
    assert node.ask("PUT", "/_index_template/logs", template)[0] == 200
