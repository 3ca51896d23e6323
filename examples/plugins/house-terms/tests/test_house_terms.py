"""What fapilog expects of a detector, asked of ours: what it hides, and what it leaves."""

from fapilog.testing import DetectorConformance

from house_terms import RULES


class TestDetector(DetectorConformance):
    hidden = ("see TCK-123456", "the plan of Blue Heron")
    kept = ("see TCK-12", "a blue bird")

    def make_detector(self):
        return RULES
