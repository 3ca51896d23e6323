"""What OpenTelemetry's own doors load: `opentelemetry-instrument`, `OTEL_*` variables, a configuration file.

`pyproject.toml` registers each class under its entry-point group; `docs/how-to/zero_code.md` is for users.
Threads: the main one, before the application starts.
"""
