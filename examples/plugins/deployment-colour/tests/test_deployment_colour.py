"""What fapilog expects of an enricher, asked of ours; and what it does."""

from fapilog.testing import EnricherConformance

from deployment_colour import attributes


class TestEnricher(EnricherConformance):
    def make_enricher(self):
        return attributes


def test_the_colour_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("DEPLOYMENT_COLOUR", "green")
    assert attributes() == {"deployment.colour": "green"}
