"""What a server or an exception repeats of a secret is not shown; the rest of the text is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fapilog.exporters.masking import SHORTEST_SECRET, sent_secrets, without, without_secrets

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.Sfl-KxwRJ"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no network", "no network"),
        ("[Errno 111] Connection refused", "[Errno 111] Connection refused"),
        ("No such file or directory: '/var/run/secrets/tokens/otel'",) * 2,
        ("HTTPSConnectionPool(host='auth.example.com', port=443): timed out",) * 2,
        (f"invalid token {JWT}", "invalid token ***"),
        ("token s3cr3t is not known", "token *** is not known"),
        ("{'client_secret': 'abc', 'grant': 'x'}", "{'client_secret': ***, 'grant': 'x'}"),
        ("password=abc rejected", "password=*** rejected"),
        ("Authorization: Bearer abc", "Authorization: ***"),
        ("sent Basic YWJjOmRlZg==", "sent Basic ***"),
        ("https://u:p@auth.example:8443/t/abc?k=v#f failed", "https://auth.example:8443/*** failed"),
        ("aGVsbG8gd29ybGQgaGVsbG8gd29ybGQ=", "***"),
    ],
)
def test_the_text_of_an_error_is_shown_without_what_may_be_a_secret(text, shown):
    assert without_secrets(text) == shown


@given(st.text(max_size=60), st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=20, max_size=60))
def test_a_long_token_is_hidden_whatever_stands_around_it(around, token):
    token = f"{token}7a"
    assert token not in without_secrets(f"{around} {token} {around}")


def test_what_a_server_repeats_of_a_request_is_hidden():
    secrets = sent_secrets(
        "https://hooks.example/services/SECRETPATH?sig=SECRET%2FQUERY",
        ["SECRETHEADER", "Bearer SECRETTOKEN", "1"],
    )
    said = "No /services/SECRETPATH?sig=SECRET/QUERY or SECRET%2FQUERY with SECRETHEADER, SECRETTOKEN: 1"
    assert without(said, secrets) == "No /***/***?sig=*** or *** with ***, ***: 1"


@given(st.lists(st.text("ab ", min_size=SHORTEST_SECRET, max_size=9), max_size=4))
def test_secrets_that_hold_each_other_are_hidden_whole(values):
    shown = without(" | ".join(values), sent_secrets("", values))
    assert not [value for value in values if value.strip() and value in shown]
