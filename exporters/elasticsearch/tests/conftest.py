"""The same clean environment and the same long tests as in `tests/`."""

from tests.conftest import _no_settings_from_the_environment, pytest_collection_modifyitems

__all__ = ["_no_settings_from_the_environment", "pytest_collection_modifyitems"]
