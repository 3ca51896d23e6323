"""Stage 6 of 7, export: the Python side of the built-in exporters, which are native. Threads: caller (console), sender."""
