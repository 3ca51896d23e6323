"""What fapilog expects of an exporter, and what this one promises, against a real PostgreSQL."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from fapilog import ExportOutcome, LoggerProvider, Settings
from fapilog.testing import ExporterConformance
from fapilog.testing.samples import sample_batch

from postgres_table import Statistics


def export(exporter, *batches):
    async def main():
        try:
            return [await exporter.export_batch(batch) for batch in batches]
        finally:
            await exporter.shutdown(5_000)

    return asyncio.run(main())


class TestPostgresTable(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _place(self, place):
        self.place, self.exporters = place, 0

    def make_exporter(self):
        return self.place.exporter()

    def received(self):
        [found] = self.place.run("SELECT to_regclass('log_records') AS name")
        return 0 if found["name"] is None else len(self.place.rows("uid, body"))

    def break_destination(self):
        self.place.break_it()


def test_a_record_becomes_a_row_with_all_that_it_holds(place):
    batch = sample_batch(3)
    assert export(place.exporter(), batch) == [ExportOutcome(delivered=3)]
    rows = {row["severity_number"]: row for row in place.rows()}
    warning = rows[13]
    assert (warning["time"], warning["severity_number"], warning["event_name"], warning["scope"]) == (
        datetime(2023, 11, 14, 22, 13, 20, 123_456, UTC),
        13,
        "",
        "orders",
    )
    assert warning["body"] == "stock is low: \u00fc \u4e2d \U0001f600 \ufffd line\nbreak"
    attributes = {"item": "tea", "left": 3, "ratio": 0.5, "ordered": False, "tags": ["a", "b"]}
    assert json.loads(warning["attributes"]) == attributes
    assert json.loads(warning["resource"]) == {"service.name": "conformance", "host.id": "1"}
    assert (json.loads(rows[9]["body"])["nested"]["list"], rows[9]["event_name"]) == (
        [1, None, {"deep": True}],
        "orders.placed",
    )


def test_attributes_can_be_asked_for(place, make_batch):
    export(place.exporter(), make_batch("order placed", "order paid"))
    [row] = place.run("SELECT count(*) FROM log_records WHERE attributes @> '{\"order_id\": 42}'")
    assert row["count"] == 2


def test_a_batch_that_comes_again_is_there_once_and_counted(place, make_batch):
    exporter = place.exporter()
    batch = make_batch("a", "b", "c")
    assert export(exporter, batch, batch, make_batch("b", "d")) == [
        ExportOutcome(delivered=3),
        ExportOutcome(delivered=3),
        ExportOutcome(delivered=2),
    ]
    assert [row["body"] for row in place.rows("body")] == ["a", "b", "c", "d"]
    assert exporter.statistics == Statistics(new=4, repeated=4)


def test_the_id_of_a_row_is_that_of_its_record(place, make_batch):
    export(place.exporter(), make_batch("a", **{"log.record.uid": "01890a5d-ac96-774b-bcce-b302099a8057"}))
    assert [row["uid"] for row in place.rows("uid, body")] == ["01890a5d-ac96-774b-bcce-b302099a8057"]


def test_a_commit_whose_answer_is_lost_does_no_harm(place, make_batch, monkeypatch):
    exporter, answers = place.exporter(), iter([ConnectionResetError("reset"), None])
    commit = exporter._transaction

    async def without_answer(connection, rows):
        new = await commit(connection, rows)
        if error := next(answers):
            raise error
        return new

    monkeypatch.setattr(exporter, "_transaction", without_answer)
    with pytest.raises(ConnectionResetError):
        asyncio.run(exporter.export_batch(make_batch("a", "b")))
    assert export(exporter, make_batch("a", "b")) == [ExportOutcome(delivered=2)]
    assert ([row["body"] for row in place.rows("body")], exporter.statistics.repeated) == (["a", "b"], 2)


def test_a_row_that_the_database_refuses_is_dropped_alone_and_says_why(place, make_batch):
    export(place.exporter(), make_batch("first"))
    place.run("ALTER TABLE log_records ADD CONSTRAINT no_seven CHECK (body <> 'record 7')")
    exporter = place.exporter()
    [outcome] = export(exporter, make_batch(*(f"record {number}" for number in range(10))))
    assert (outcome.delivered, outcome.rejected, outcome.retry, outcome.error_type) == (
        9,
        1,
        False,
        "refused_row",
    )
    assert outcome.cause.startswith("23514: new row for relation")
    assert "no_seven" in outcome.cause
    assert len(place.rows("body")) == 10
    assert exporter.statistics == Statistics(new=9, refused=1)


def test_each_day_has_a_partition_and_a_wrong_clock_makes_none(place, make_batch):
    day = 86_400 * 10**9
    now = 1_795_219_200 * 10**9
    batches = [
        make_batch("x", nanos=nanos) for nanos in (now, now - 2 * day, now - 400 * day, now + 3 * day, 1)
    ]
    export(place.exporter(), *batches)
    assert place.partitions() == {"20261121": 1, "20261119": 1, "other": 3}


def test_a_day_whose_rows_came_too_early_keeps_them_with_all_others(place, make_batch):
    day = 86_400 * 10**9
    early = 1_795_219_200 * 10**9 + 3 * day
    export(place.exporter(), make_batch("early", nanos=early))
    later = place.exporter()
    later._wall_clock = lambda: early / 1e9
    assert export(later, make_batch("then", nanos=early)) == [ExportOutcome(delivered=1)]
    assert place.partitions() == {"other": 2}


def test_processes_that_begin_at_once_make_one_table_and_lose_nothing(place, make_batch):
    exporters = [place.exporter() for _ in range(4)]

    async def main():
        jobs = [each.export_batch(make_batch(f"of {number}")) for number, each in enumerate(exporters)]
        outcomes = await asyncio.gather(*jobs)
        for each in exporters:
            await each.shutdown(5_000)
        return outcomes

    assert asyncio.run(main()) == [ExportOutcome(delivered=1)] * 4
    assert [row["body"] for row in place.rows("body")] == ["of 0", "of 1", "of 2", "of 3"]


def test_without_the_right_to_make_tables_it_uses_those_that_are_there(place, make_batch):
    export(place.exporter(dsn=place.database.dsn("postgres")), make_batch("made by an administrator"))
    place.run(f"REVOKE CREATE ON SCHEMA {place.schema} FROM app")
    place.run("GRANT INSERT, SELECT ON log_records TO app")
    exporter = place.exporter(create=False)
    assert export(exporter, make_batch("a")) == [ExportOutcome(delivered=1)]


@pytest.mark.parametrize(
    ("given", "state"),
    [({"create": False}, "42P01"), ({"table": "nowhere.log_records"}, "3F000")],
)
def test_records_wait_for_an_administrator(place, make_batch, given, state):
    [outcome] = export(place.exporter(**given, refused_pause_millis=5_000), make_batch("a"))
    assert (outcome.retry, outcome.retry_after_millis, outcome.error_type) == (True, 5_000, state)


def test_records_wait_where_no_partition_takes_them(place, make_batch):
    export(place.exporter(), make_batch("a"))
    place.run("DROP TABLE log_records_other")
    [outcome] = export(place.exporter(create=False), make_batch("b", nanos=1))
    assert (outcome.retry, outcome.retry_after_millis, outcome.error_type) == (True, 1, "23514")


def test_a_database_that_does_not_exist_is_no_reason_to_drop_records(place, make_batch):
    [outcome] = export(place.exporter(dsn=place.database.dsn(database="nowhere")), make_batch("a"))
    assert (outcome.retry, outcome.error_type) == (True, "3D000")


def test_a_forked_child_has_connections_of_its_own(place, make_batch, monkeypatch):
    exporter = place.exporter()

    async def main():
        await exporter.export_batch(make_batch("of the parent"))
        inherited = exporter._pool
        monkeypatch.setattr("os.getpid", lambda: -1)
        await exporter.export_batch(make_batch("of the child"))
        assert (exporter._pool is inherited, exporter._inherited) == (False, [inherited])
        await exporter.shutdown(5_000)
        inherited.terminate()

    asyncio.run(main())
    assert len(place.rows("body")) == 2


def test_a_server_that_is_killed_and_comes_back_has_every_record_once(own_database, place_in):
    place = place_in(own_database)
    settings = {
        "buffer": {"schedule_delay_millis": 5, "max_block_records": 20},
        "delivery": {"retry": {"initial_backoff_millis": 10, "max_backoff_millis": 100}},
    }
    with LoggerProvider(
        settings=Settings.load(environ={}, **settings), exporters=[place.exporter()]
    ) as provider:
        logger = provider.get_logger("shop")
        for number in range(400):
            logger.emit(body=f"record {number}", timestamp=1_795_219_200_000_000_000 + number)
            if number == 100:
                assert provider.force_flush(20_000)
            if number == 200:
                own_database.kill()
        assert not provider.force_flush(100)
        own_database.start()
        assert provider.force_flush(30_000), str(provider.ledger())
        side = provider.ledger().exporters["postgresql"]
    assert (side.delivered, side.rejected, side.pending) == (400, 0, 0)
    bodies = sorted(row["body"] for row in place.rows("body"))
    assert bodies == sorted(f"record {number}" for number in range(400))
