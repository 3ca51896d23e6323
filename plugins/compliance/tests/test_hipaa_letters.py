"""One row per letter of the 18 identifiers: what is in the record does not leave it."""

from typing import Any

import pytest

import fapilog
from fapilog.compliance import load
from fapilog.settings import Settings
from fapilog.testing import capture_logs

LETTERS = "ABCDEFGHIJKLMNOPQR"
# Letter: the message, the attributes, and what must not be left of them. All values are invented.
ROWS: dict[str, tuple[str, dict[str, Any], tuple[str, ...]]] = {
    "A": ("patient: Jane Testerly admitted", {"patient_name": "Jane Testerly"}, ("Testerly",)),
    "B": (
        "moved",
        {"address": "12 Elm Street, Bellows Falls, NH 03601", "city": "Keene"},
        ("Elm", "03601", "Keene"),
    ),
    "C": (
        "dob: 1931-04-05",
        {"admission_date": "2026-03-04", "age": 95},
        ("1931", "04-05", "2026-03-04", "95"),
    ),
    "D": ("call +1 (212) 555-0143", {"phone": "212-555-0143"}, ("555",)),
    "E": ("sent", {"fax": "212-555-0144", "fax_number": "5550144"}, ("0144",)),
    "F": ("mail to jane@example.org", {"to": "jane%40example.org"}, ("jane",)),
    "G": ("ssn 219-09-9998", {"id": "219-09-9998"}, ("9998",)),
    "H": ("mrn: 00482913", {"mrn": "00482913"}, ("00482913",)),
    "I": ("covered", {"member_id": "XEH123456789", "mbi": "1EG4-TE5-MK73"}, ("XEH1", "MK73")),
    "J": ("account number: 000123456789", {"account_number": 123456789}, ("123456789",)),
    "K": ("dea AB1234563", {"license_number": "D123-4567"}, ("AB1234563", "D123")),
    "L": ("car 1M8GDM9AXKP042788", {"license_plate": "TEST 123"}, ("KP042788", "TEST 123")),
    "M": (
        "from 02:42:ac:11:00:02",
        {"imei": "490154203237518", "device_id": "dev-7"},
        ("02:42", "2375", "dev-7"),
    ),
    "N": ("seen", {"url.full": "https://clinic.example/p/7", "url.path": "/p/7"}, ("clinic", "/p/7")),
    "O": (
        "from 203.0.113.77 by 10.1.2.3",
        {"peer": "2001:db8:85a3::8a2e:370:7334"},
        ("203.0", "10.1", "85a3"),
    ),
    "P": ("enrolled", {"voiceprint": "AAECAwQF", "biometric": [1, 2]}, ("AAEC", "[1")),
    "Q": ("taken", {"photo": b"\x89PNG-face", "face_image": "iVBORw0"}, ("PNG", "iVBO")),
    "R": (
        "nino AB123456C",
        {"patient_id": "p-77", "path": "/home/" + "jane/notes"},
        ("AB123456C", "p-77", "jane"),
    ),
}


@pytest.fixture
def telemetry():
    telemetry = fapilog.configure_otel("clinic", exporters=["none"], compliance=["hipaa"])
    yield telemetry
    telemetry.shutdown(5_000)


@pytest.mark.parametrize("letter", LETTERS)
def test_what_a_letter_names_is_not_left_in_the_record(letter: str, telemetry: fapilog.Telemetry):
    message, attributes, gone = ROWS[letter]
    with capture_logs() as logs:
        fapilog.get_logger("ward").info(message, **attributes)
    [record] = logs
    shown = f"{record.body!r} {record.attributes!r}"
    assert [part for part in gone if part in shown] == [], shown


def test_every_letter_has_a_clause_whose_checks_the_profile_acts_upon():
    [profile] = load(["hipaa"]).profiles
    clauses = {clause.id: clause for clause in profile.clauses}
    in_force = Settings.load(environ={}, compliance=["hipaa"]).redaction_in_force
    for letter in LETTERS:
        for check in clauses[f"164.514(b)(2)(i)({letter})"].checks:
            kind, _, name = check.partition(":")
            acted = {
                "type": name in profile.actions(),
                "group": f"group:{name}" in [measure.target for measure in profile.measures],
                "key": name in in_force.secret_keys,
                "setting": True,
            }
            assert acted[kind], (letter, check)
