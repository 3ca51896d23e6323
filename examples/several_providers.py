"""Two pipelines that share nothing: each provider has its own buffer, exporter, resource and ledger."""

from fapilog import LoggerProvider, Settings
from fapilog.testing import OtlpReceiver


def settings(name: str, receiver: OtlpReceiver) -> Settings:
    """Return the settings of one part of the process."""
    return Settings(service={"name": name}, otlp={"endpoint": receiver.logs_endpoint})


with OtlpReceiver() as here, OtlpReceiver() as there:
    with (
        LoggerProvider(settings=settings("orders", here), exporters=["otlp"]) as orders,
        LoggerProvider(settings=settings("audit", there), exporters=["otlp"]) as audit,
    ):
        orders.get_logger("orders").emit(body="order placed")
        orders.get_logger("orders").emit(body="order shipped")
        audit.get_logger("audit").emit(body="price changed")
    for provider, receiver in ((orders, here), (audit, there)):
        records = receiver.log_records
        print(records[0].resource["service.name"], [record.body for record in records])
        print(provider.ledger())
