"""Settings of the built-in processors: off by default, and what the native side gets when they are on."""

import pytest

from fapilog.errors import ConfigurationError


def native(settings):
    groups = (settings.sampling, settings.rate_limit, settings.first_occurrence, settings.dedupe)
    return [group.native() for group in groups]


def test_every_processor_is_off_by_default(load):
    assert native(load()) == [None] * 4


def test_one_setting_turns_each_on(load):
    environ = {
        "FAPILOG_SAMPLING_RATIO": "0.1",
        "FAPILOG_RATE_LIMIT_RECORDS_PER_SECOND": "2.5",
        "FAPILOG_FIRST_OCCURRENCE_PER": "interval",
        "FAPILOG_DEDUPE_WINDOW_MILLIS": "1000",
    }
    assert native(load(environ)) == [
        {"ratio": 0.1, "keep_severity": 17, "in_span": "trace_id", "outside_span": "ratio"},
        {"records_per_second": 2.5, "burst": 3, "max_templates": 4_096},
        {"interval_millis": 60_000, "max_templates": 4_096},
        {"window_millis": 1_000, "attributes": True, "max_windows": 1_024},
    ]


def test_once_per_process_has_no_interval(load):
    settings = load(first_occurrence={"per": "process", "interval_millis": 5})
    assert settings.first_occurrence.native() == {"interval_millis": None, "max_templates": 4_096}


def test_a_burst_is_taken_as_given_and_a_slow_rate_has_one_of_one(load):
    assert load(rate_limit={"records_per_second": 0.1}).rate_limit.native()["burst"] == 1
    assert load(rate_limit={"records_per_second": 5, "burst": 100}).rate_limit.native()["burst"] == 100


@pytest.mark.parametrize(
    ("overrides", "what", "remedy"),
    [
        (
            {"sampling": {"ratio": 1.5}},
            "sampling.ratio is too large",
            "set sampling.ratio to 1.0 or less",
        ),
        (
            {"sampling": {"ratio": "half"}},
            "sampling.ratio is not a number",
            "set sampling.ratio to a number (0 to 1)",
        ),
        (
            {"rate_limit": {"records_per_second": 0}},
            "rate_limit.records_per_second is too small",
            "set rate_limit.records_per_second to more than 0.0",
        ),
        (
            {"sampling": {"in_span": "sampled_flag"}},
            "sampling by the sampled flag needs a ratio for records outside of spans",
            "set sampling.ratio, or sample by rules with trace_based alone",
        ),
    ],
)
def test_wrong_values_are_told_with_their_remedy(load, overrides, what, remedy):
    with pytest.raises(ConfigurationError) as caught:
        load(**overrides)
    assert [(problem.what, problem.remedy) for problem in caught.value.problems] == [(what, remedy)]
