"""OpenTelemetry's door: our pipeline as a `LoggerProvider`, and the stock providers for traces and metrics."""
