"""OpenTelemetry's own tests for logs, run against our classes (`make test-upstream`)."""
