"""Stage 6 of 7, export: the Python side of the native exporters. Threads: caller (console), sender (OTLP)."""
