"""The `fapilog` command. The only place that imports typer."""
