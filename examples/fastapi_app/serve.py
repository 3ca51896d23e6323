"""What a server runs: telemetry for the process, then the application."""

import fapilog

from . import create_app

# Value redaction: cards and addresses are found in texts, too.
fapilog.configure_otel(service_name="shop", redaction="scan")
app = create_app()
