"""The exception tree: one base, stable codes, messages with values, origins and remedies."""

import inspect
import pickle

import pytest

from fapilog import errors
from fapilog.error_codes import CODES
from fapilog.errors import (
    ConfigurationError,
    ExportError,
    FapilogError,
    LifecycleError,
    MissingDependencyError,
    OffendingSetting,
    Problem,
    UnknownExporterError,
    UnsupportedSettingError,
    configuration_error,
)

CLASSES = [
    item for item in vars(errors).values() if inspect.isclass(item) and issubclass(item, BaseException)
]

QUEUE = Problem(
    "queue-smaller-than-batch",
    "the queue is smaller than a batch",
    (
        OffendingSetting("buffer.max_queue_records", "256", "OTEL_BLRP_MAX_QUEUE_SIZE", "raise it"),
        OffendingSetting("buffer.max_block_records", "512", "default (fapilog)", "lower it"),
    ),
    "raise OTEL_BLRP_MAX_QUEUE_SIZE to 512 or more",
)
UNKNOWN = Problem(
    "exporter-unknown",
    "there is no exporter foo",
    (OffendingSetting("exporters", "'foo'", "argument", "set exporters to otlp"),),
    "set exporters to otlp",
)
UNSUPPORTED = Problem("not-in-this-version", "no spool yet", (), "leave it out")

EXAMPLES = [
    FapilogError("provider-shut-down", "the provider is shut down", ["name = a"], "make another"),
    ConfigurationError([QUEUE]),
    ConfigurationError([QUEUE, UNKNOWN]),
    UnknownExporterError([UNKNOWN]),
    UnsupportedSettingError([UNSUPPORTED]),
    MissingDependencyError("fapilog-instrumentation-fastapi", "fapilog.instrument_fastapi"),
    ExportError("export-rejected", "the server answered 429", ["url = x"], True, 1_500),
    LifecycleError("already-configured", "configure_otel was called with other arguments"),
]


def test_every_exception_of_the_module_is_a_fapilog_error():
    assert [cls.__name__ for cls in CLASSES if not issubclass(cls, FapilogError)] == []


def test_every_exception_is_drawn_in_the_tree_with_its_standard_base():
    tree = inspect.getdoc(errors)
    for cls in CLASSES:
        standard = [base.__name__ for base in cls.__bases__ if base.__module__ == "builtins"]
        bases = f" ({standard[0]})" if standard and cls is not FapilogError else ""
        assert f"{cls.__name__}{bases} " in tree


def test_every_exception_has_an_example_here():
    assert {type(error) for error in EXAMPLES} == set(CLASSES)


def test_codes_are_slugs_and_name_an_exception_that_exists():
    names = {cls.__name__ for cls in CLASSES}
    for code, entry in CODES.items():
        assert code.replace("-", "").isalpha(), code
        assert code == code.lower()
        assert entry.exception in names
        assert entry.meaning.endswith(".")
        assert entry.remedy.endswith(".")


def test_configuration_error_shows_values_origins_remedy_and_page():
    assert str(ConfigurationError([QUEUE])) == (
        "the queue is smaller than a batch [queue-smaller-than-batch]\n"
        "  buffer.max_queue_records = 256   from OTEL_BLRP_MAX_QUEUE_SIZE\n"
        "  buffer.max_block_records = 512   from default (fapilog)\n"
        "  do: raise OTEL_BLRP_MAX_QUEUE_SIZE to 512 or more\n"
        "  see: docs/reference/errors.md#queue-smaller-than-batch"
    )


def test_several_problems_are_all_listed_under_one_code():
    error = ConfigurationError([QUEUE, UNKNOWN])
    assert error.code == "settings-wrong"
    assert [setting.name for setting in error.settings] == [
        "buffer.max_queue_records",
        "buffer.max_block_records",
        "exporters",
    ]
    assert str(error) == (
        "2 settings are wrong [settings-wrong]\n"
        "  the queue is smaller than a batch [queue-smaller-than-batch]\n"
        "    buffer.max_queue_records = 256   from OTEL_BLRP_MAX_QUEUE_SIZE\n"
        "    buffer.max_block_records = 512   from default (fapilog)\n"
        "    do: raise OTEL_BLRP_MAX_QUEUE_SIZE to 512 or more\n"
        "  there is no exporter foo [exporter-unknown]\n"
        "    exporters = 'foo'   from argument\n"
        "    do: set exporters to otlp\n"
        "  do: Work through the list: every entry has its own `do:` line.\n"
        "  see: docs/reference/errors.md#settings-wrong"
    )


@pytest.mark.parametrize(
    ("problems", "expected"),
    [
        ([UNKNOWN], UnknownExporterError),
        ([UNSUPPORTED, UNSUPPORTED], UnsupportedSettingError),
        ([UNSUPPORTED, UNKNOWN], ConfigurationError),
        ([QUEUE], ConfigurationError),
    ],
)
def test_the_most_specific_error_is_chosen_that_is_true_of_all_problems(problems, expected):
    assert type(configuration_error(problems)) is expected


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_survives_pickling_with_its_message_and_attributes(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


def test_missing_dependency_is_an_import_error_with_the_pip_line():
    error = EXAMPLES[5]
    assert isinstance(error, ImportError)
    assert "\n  do: pip install fapilog-instrumentation-fastapi\n" in str(error)


def test_export_error_says_whether_and_when_to_try_again():
    error = EXAMPLES[6]
    assert (error.retryable, error.retry_after_millis, error.code) == (True, 1_500, "export-rejected")


def test_a_code_that_is_not_in_the_table_is_a_programming_error():
    with pytest.raises(KeyError):
        FapilogError("made-up", "x")
