"""Stage 3 of 7, redact: the policy that the native engine applies. Thread: caller (applied), any (built)."""

from fapilog.redaction.policy import Policy, default_policy
from fapilog.redaction.scan import Finding, scan
from fapilog.redaction.sensitive import Sensitive

__all__ = ["Finding", "Policy", "Sensitive", "default_policy", "scan"]
