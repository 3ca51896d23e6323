"""The profile can be used, and does what its clauses say."""

from fapilog import Settings
from fapilog.redaction import Redactor

from house_rules import profile


def test_mail_addresses_are_hidden_under_the_profile():
    settings = Settings.load(environ={}, compliance=[profile()])
    text = Redactor(settings.redaction_in_force).text("ask ann@example.org")
    assert text == "ask [REDACTED:email]"
