"""Tests of the controls: every type of sensitive value, in every carrier, to every configured exporter.

Read in this order: `vectors` (what is sent), `log_carriers` (how), `places` (where it is looked for),
`running` (all of it), `clauses` and `report` (the result), `signature` (who vouches for it).
"""

from fapilog.controls.report import Report
from fapilog.controls.running import run

__all__ = ["Report", "run"]
