"""What a batch becomes: every record in one message, with the right key, none too large."""

from hypothesis import given
from hypothesis import strategies as st

from exporters.kafka.tests.numbered import numbered, numbers, request_of
from fapilog import LogBatch
from fapilog_exporter_kafka.messages import Message, encode
from tests.servers.kafka_reading import Read

TRACES = ["", "0af7651916cd43dd8448eb211c80319c", "5b8efff798038103d269b633813fc60c"]
SERVICES = ["", "checkout", "orders", "straße"]


def read(message: Message) -> Read:
    return Read(0, message.key, message.value)


def facts(message: Message) -> list[tuple[str, str, str, int]]:
    """Of each record: service, schema, scope and number."""
    return [
        (
            "".join(each.value.string_value for each in resource_logs.resource.attributes),
            resource_logs.schema_url,
            scope_logs.scope.name,
            *numbers([record]),
        )
        for resource_logs in read(message).request.resource_logs
        for scope_logs in resource_logs.scope_logs
        for record in scope_logs.log_records
    ]


def key_of(service: str, trace: str, key: str) -> bytes | None:
    text = {"none": "", "service": service, "trace": trace}[key]
    return text.encode() or None


@given(
    count=st.integers(0, 30),
    services=st.lists(st.sampled_from(SERVICES), min_size=1, max_size=4),
    traces=st.lists(st.sampled_from(TRACES), min_size=1, max_size=5),
    key=st.sampled_from(["none", "service", "trace"]),
    limit=st.integers(200, 20_000),
    padding=st.integers(0, 150),
)
def test_every_record_is_in_one_message_with_its_key_and_its_surroundings(
    count, services, traces, key, limit, padding
):
    request = request_of(count, services=services, traces=traces, padding=padding)
    whole = Message(request.SerializeToString(), None, 0)
    encoded = encode(LogBatch(whole.value), key, limit)
    found = [fact for message in encoded.messages for fact in facts(message)]
    assert len(set(found)) == len(found)
    assert set(found) <= set(facts(whole))
    assert len(found) + encoded.too_large == count * len(services)
    for message in encoded.messages:
        assert len(message) <= limit
        assert message.records == len(facts(message))
        keys = {key_of(fact[0], traces[fact[3] % len(traces)], key) for fact in facts(message)}
        assert keys == {message.key}
    in_order = sorted(fact[3] for fact in facts(whole))
    for each in {message.key for message in encoded.messages}:
        of_key = [fact[3] for message in encoded.messages if message.key == each for fact in facts(message)]
        assert of_key == [number for number in in_order if number in of_key]


def test_a_batch_that_fits_is_the_message_byte_by_byte():
    batch = numbered(20)
    assert encode(batch, "none", 100_000).messages == (Message(batch.otlp_bytes(), None, 20),)
    assert encode(batch, "service", 100_000).messages == (Message(batch.otlp_bytes(), b"checkout", 20),)


def test_records_without_a_trace_have_no_key():
    encoded = encode(numbered(9, traces=TRACES), "trace", 100_000)
    assert [(message.key, message.records) for message in encoded.messages] == [
        (None, 3),
        (TRACES[1].encode(), 3),
        (TRACES[2].encode(), 3),
    ]


def test_bytes_that_are_no_request_are_counted():
    assert encode(LogBatch(b"\xff\xff\xff"), "trace", 1_000).messages == ()


@given(st.integers(1, 40))
def test_halves_hold_the_records_of_the_whole_in_order(count):
    (message,) = encode(numbered(count), "service", 1_000_000).messages
    halves = message.halves()
    if count == 1:
        assert halves == ()
    else:
        assert [half.records for half in halves] == [count // 2, count - count // 2]
        assert [fact for half in halves for fact in facts(half)] == facts(message)
        assert {half.key for half in halves} == {b"checkout"}
