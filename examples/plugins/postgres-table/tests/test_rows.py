"""Rows of any record, and what each error means: without a database."""

import json

import asyncpg
import pytest
from fapilog.errors import ConfigurationError
from hypothesis import given
from hypothesis import strategies as st

from postgres_table import PostgresSettings
from postgres_table.answers import cause_of, is_row_at_fault, outcome_of
from postgres_table.rows import rows_of, without_nul

TEXTS = st.one_of(st.text(), st.text(alphabet='\x00\\"u0\n'))
VALUES = st.recursive(
    st.one_of(TEXTS, st.integers(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
    max_leaves=10,
)


def replaced(value):
    match value:
        case str():
            return value.replace("\x00", "\ufffd")
        case list():
            return [replaced(each) for each in value]
        case dict():
            return {replaced(key): replaced(each) for key, each in value.items()}
    return value


@given(VALUES, st.booleans())
def test_a_document_without_nul_says_the_same(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert json.loads(without_nul(text)) == replaced(value)


def test_records_that_are_alike_have_ids_of_their_own(make_batch):
    first, second = rows_of(make_batch("same", "same"))
    assert (first.body, first.uid == second.uid) == (second.body, False)
    assert [first, second] == rows_of(make_batch("same", "same"))


def test_a_batch_without_records_has_no_rows(make_batch):
    assert rows_of(make_batch()) == []


def with_name(error, name):
    error.constraint_name = name
    return error


@pytest.mark.parametrize(
    ("error", "at_fault", "pause"),
    [
        (asyncpg.NotNullViolationError("no"), True, None),
        (asyncpg.StringDataRightTruncationError("no"), True, None),
        (with_name(asyncpg.CheckViolationError("no"), "no_seven"), True, None),
        (asyncpg.CheckViolationError("no partition of relation"), False, 7),
        (asyncpg.InvalidPasswordError("no"), False, 7),
        (asyncpg.InvalidCatalogNameError("no"), False, 7),
        (asyncpg.InsufficientPrivilegeError("no"), False, 7),
        (asyncpg.UndefinedTableError("no"), False, 7),
        (asyncpg.ClientConfigurationError("no"), False, 7),
        (asyncpg.CannotConnectNowError("no"), False, None),
        (asyncpg.AdminShutdownError("no"), False, None),
        (asyncpg.DiskFullError("no"), False, None),
        (asyncpg.TooManyConnectionsError("no"), False, None),
        (asyncpg.DeadlockDetectedError("no"), False, None),
        (asyncpg.ReadOnlySQLTransactionError("no"), False, None),
        (asyncpg.InterfaceError("connection is closed"), False, None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_an_error_means_for_the_rows(error, at_fault, pause):
    assert is_row_at_fault(error) is at_fault
    if not at_fault:
        outcome = outcome_of(error, 7)
        assert (outcome.retry, outcome.retry_after_millis, bool(outcome.cause)) == (True, pause, True)


def test_a_cause_shows_no_row():
    error = asyncpg.NotNullViolationError("null value in column body")
    error.detail = "Failing row contains (secret)."
    assert cause_of(error) == "23502: null value in column body"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"table": "Log"}, "table"),
        ({"table": "a.b.c"}, "table"),
        ({"table": 'x"; DROP TABLE y; --'}, "table"),
        ({"dsn": "host=db password=secret"}, "dsn"),
        ({"dsn": "mysql://user:secret@db/x"}, "dsn"),
        # What is not escaped the driver takes for a port, and shows.
        ({"dsn": "postgresql://user:secret/1@db/x"}, "dsn"),
        ({"dsn": "postgresql://user:secret#1@db/x"}, "dsn"),
        ({"dsn": "postgresql://user:secret?1@db/x"}, "dsn"),
        ({"dsn": "postgresql://user:12/secret@db/x"}, "dsn"),
        ({"dsn": "postgresql://user:[secret@db/x"}, "dsn"),
        ({"dsn": "postgresql://user:secret@db:port/x"}, "dsn"),
        ({"max_in_flight": 0}, "max_in_flight"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_no_password_is_shown(given, name):
    with pytest.raises(ConfigurationError) as caught:
        PostgresSettings.load({}, **given)
    assert [setting.name for problem in caught.value.problems for setting in problem.settings] == [name]
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://user:a%2Fb%40c@db:5432/x?sslmode=require",
        "postgres://db",
        "postgresql:///x",
        "postgresql://user@one:5432,two:5433/x",
        "postgresql://user@[::1]:5432/x",
        "postgresql://user:a:b@db/x",
    ],
)
def test_any_address_that_the_driver_reads_is_taken(dsn):
    assert PostgresSettings.load({}, dsn=dsn).dsn.get_secret_value() == dsn
