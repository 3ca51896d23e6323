"""OpenTelemetry-native logging for Python."""
