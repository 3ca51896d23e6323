"""What the tests of the exporters under faults share."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.unmeasured import unmeasured


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Tracing every line would take longer than these tests; pytest asks here for all others as well."""
    with unmeasured(when=item.path.is_relative_to(Path(__file__).parent)):
        return (yield)
