"""Stage 3 of 7, redact: the policy that the native engine applies. Thread: caller (applied), any (built)."""

from fapilog.redaction.policy import Policy, default_policy

__all__ = ["Policy", "default_policy"]
