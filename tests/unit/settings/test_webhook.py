"""Settings of the webhook: what is private, what signs, and that its URL is not shown."""

import pytest

from fapilog.errors import ConfigurationError
from fapilog.settings import WebhookSettings


@pytest.mark.parametrize(
    "url",
    ["https://h/x", "http://localhost:1/x", "http://127.0.0.1", "http://[::1]:8/x", "http://a.localhost/"],
)
def test_https_and_this_machine_are_private(url, load):
    assert load(webhook={"url": url}).webhook.url == url


@pytest.mark.parametrize("url", ["http://h/x", "http://10.0.0.1/", "http://localhost.example.com/"])
def test_plain_http_to_another_machine_must_be_allowed(url, load):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_WEBHOOK_URL": url})
    assert (caught.value.code, caught.value.remedy) == (
        "webhook-not-private",
        "set FAPILOG_WEBHOOK_URL to an https:// URL, or webhook.allow_http to true",
    )
    assert load({"FAPILOG_WEBHOOK_URL": url}, webhook={"allow_http": True}).webhook.url == url


@pytest.mark.parametrize("url", ["ftp://h", "h", "https://u:hunter2@h/x", "https://h/x#y", "https://h/ x"])
def test_what_is_no_url_is_refused_and_not_shown(url, load):
    with pytest.raises(ConfigurationError) as caught:
        load(webhook={"url": url})
    assert (caught.value.code, "hunter2" in str(caught.value)) == ("setting-invalid", False)


def test_the_path_is_not_shown(load):
    settings = load(webhook={"url": "https://hooks.example.com/services/T0/B0/hunter2"})
    assert "hunter2" not in str(settings.explain()) + repr(settings)
    assert "https://hooks.example.com/***" in str(settings.explain())


def test_two_secrets_sign_while_one_replaces_the_other(load):
    webhook = load({"FAPILOG_WEBHOOK_SECRET": "new", "FAPILOG_WEBHOOK_OLD_SECRET": "old"}).webhook
    assert (webhook.signing_secrets(), WebhookSettings().signing_secrets()) == (("new", "old"), ())


def test_an_old_secret_alone_is_a_mistake(load):
    with pytest.raises(ConfigurationError) as caught:
        load({"FAPILOG_WEBHOOK_OLD_SECRET": "old"})
    assert (caught.value.code, caught.value.remedy) == (
        "webhook-secret-missing",
        "set webhook.secret; the old one is for the time of a change",
    )


def test_an_exporter_without_a_url_is_a_mistake():
    with pytest.raises(ConfigurationError) as caught:
        WebhookSettings().required_url()
    assert caught.value.code == "webhook-url-missing"
