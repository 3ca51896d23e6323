"""Tests of the controls: every type of sensitive value, in every carrier, to every configured exporter.

Read in this order: `vectors` (what is sent), `log_carriers` (how), `places` (where it is looked for), `run`
(all of it), `report` (the result), `signature` (who vouches for it).
"""

from fapilog.controls.report import Report
from fapilog.controls.run import run

__all__ = ["Report", "run"]
