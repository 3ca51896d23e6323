"""The benchmark of the Splunk exporter: every record arrives before it is counted."""

from benchmarks.splunk import GROUP, events_at, null_collector, to_splunk


def test_the_rate_is_of_records_that_have_arrived():
    with null_collector() as port:
        rate, micros = to_splunk(port, 2_000)
        assert events_at(port) == 2_000
    assert rate > 0
    assert micros > 0
    assert GROUP == "Delivered to Splunk"
