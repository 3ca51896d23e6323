"""Nothing is lost when the collector is slow: `wait` makes an awaited call yield until there is room."""

import asyncio

import fapilog
from fapilog.testing import OtlpReceiver

RECORDS = 2_000
# So small that it is full all the time; the default holds 64 MiB.
BUFFER = {"overflow": "wait", "limit_bytes": 32_768, "chunk_bytes": 4_096, "record_bytes": 1_024}


async def main() -> None:
    """Log faster than the buffer can take it."""
    with OtlpReceiver() as receiver:
        endpoint = {"endpoint": receiver.logs_endpoint}
        async with fapilog.configure_otel(
            "orders", exporters=["otlp"], buffer=BUFFER, otlp=endpoint
        ) as telemetry:
            log = fapilog.get_logger("orders")
            for number in range(RECORDS):
                await log.info("order placed", number=number)
            telemetry.force_flush(10_000)
        print(f"the receiver has {receiver.log_record_count} of {RECORDS}")
        print(telemetry.ledger())


asyncio.run(main())
