"""OpenTelemetry's door: our pipeline as a `LoggerProvider`; the stock providers for traces and metrics."""
