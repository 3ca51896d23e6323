"""Settings of actions with a key: what is missing is said, what is wrong is refused, and no key is shown."""

import base64

import pytest

from fapilog.errors import ConfigurationError

PUBLIC = bytes(range(32))
TEXT = base64.b64encode(PUBLIC).decode()
DER = base64.b64encode(bytes.fromhex("302a300506032b656e032100") + PUBLIC).decode()
PEM = f"-----BEGIN PUBLIC KEY-----\n{DER}\n-----END PUBLIC KEY-----\n"


def lines(error: ConfigurationError) -> list[str]:
    return [line.strip() for line in str(error).splitlines()]


def test_token_without_a_key_is_refused(load):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_REDACTION": "scan", "FAPILOG_REDACTION_ACTIONS": "EMAIL=token"})
    assert lines(caught.value) == [
        "the action token needs a key [token-without-key]",
        "do: set redaction.key_provider (FAPILOG_REDACTION_KEY_PROVIDER), for example to env, which reads"
        " FAPILOG_TOKEN_KEY",
        "see: docs/reference/errors.md#token-without-key",
    ]


def test_seal_without_a_public_key_is_refused(load):
    with pytest.raises(ConfigurationError) as caught:
        load(redaction={"mode": "scan", "actions": {"PAN": "seal"}})
    assert lines(caught.value) == [
        "the action seal needs a public key [seal-without-key]",
        "do: make one with `fapilog seal new-key` and set redaction.seal_to (FAPILOG_SEAL_TO)",
        "see: docs/reference/errors.md#seal-without-key",
    ]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("env", "env:FAPILOG_TOKEN_KEY"),
        ("env:OUR_KEYS", "env:OUR_KEYS"),
        ("file:/run/secrets/tokens", "file:/run/secrets/tokens"),
        ("vault", "vault"),
        (lambda: {1: PUBLIC}, "<function>"),
    ],
)
def test_settings_show_where_token_keys_come_from_and_no_more(given, shown, load):
    settings = load(redaction={"key_provider": given, "actions": {"EMAIL": "token"}})
    explained = {item.name: item.value for item in settings.explain()}
    assert explained["redaction.key_provider"] == shown
    assert shown in repr(settings)


@pytest.mark.parametrize("given", [f"1:{TEXT}", TEXT, "env:A-B", "file:keys", {1: PUBLIC}, 7, dict])
def test_a_key_in_place_of_its_provider_is_refused_and_not_shown(given, load):
    with pytest.raises(ConfigurationError) as caught:
        load(redaction={"key_provider": given})
    assert caught.value.problems[0].settings[0].value == "***"
    assert TEXT not in str(caught.value)


def test_every_spelling_of_a_public_key_is_one_value(load, tmp_path):
    file = tmp_path / "seal.pub"
    file.write_text(PEM)
    spellings = [TEXT, TEXT.rstrip("="), base64.urlsafe_b64encode(PUBLIC).decode(), DER, PEM]
    loaded = {load(redaction={"seal_to": each}).redaction.seal_to for each in [*spellings, str(file), file]}
    assert loaded == {TEXT}
    assert load({"FAPILOG_SEAL_TO": f"file:{file}"}).redaction.seal_key() == PUBLIC


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "is no public key"),
        ("not base64!", "is no public key"),
        (TEXT[:-5], "is no public key"),
        ("/nowhere/seal.pub", "names a file that cannot be read"),
        (
            PEM.replace("PUBLIC", "PRIVATE"),
            "is a private key: whoever writes records must not be able to open",
        ),
    ],
)
def test_what_is_no_public_key_is_refused_and_not_shown(given, said, load):
    with pytest.raises(ConfigurationError) as caught:
        load(redaction={"seal_to": given})
    assert said in lines(caught.value)[0]
    assert caught.value.problems[0].settings[0].value == "***"


def test_base64_that_begins_as_a_path_does_is_a_key(load):
    given = base64.b64encode(b"\xff" * 32).decode()
    assert given.startswith("/")
    assert load(redaction={"seal_to": given}).redaction.seal_key() == b"\xff" * 32


@pytest.mark.parametrize("given", ["a\nb", "x" * 65, "a\0b"])
def test_a_namespace_is_a_short_name(given, load):
    with pytest.raises(ConfigurationError, match="is not a short name"):
        load(redaction={"token_namespace": given})
