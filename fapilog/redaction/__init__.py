"""Stage 3 of 7, redact: the policy that the native engine applies. Thread: caller (applied), any (built)."""

from fapilog.redaction.policy import Policy, default_policy
from fapilog.redaction.redactor import Redactor
from fapilog.redaction.scan import Finding, scan

__all__ = ["Finding", "Policy", "Redactor", "default_policy", "scan"]
