"""`fapilog demo`: the main job on your terminal. An application, a receiver, and the ledger that adds up.

Everything stays on loopback and in this process: an OTLP/HTTP receiver, the application of
`examples/fastapi_app` under uvicorn with `configure_otel()`, and an HTTP client. The command fails unless
every check at its end holds.
"""

from __future__ import annotations

import time
from types import ModuleType
from typing import Annotated, Literal

import typer

from fapilog.cli import report
from fapilog.cli.loopback import only_loopback
from fapilog.errors import MissingDependencyError
from fapilog.exporters import console
from fapilog.settings import Settings
from fapilog.testing import OtlpReceiver

Style = Literal["pretty", "json", "logfmt", "minimal"]


def demo(
    style: Annotated[Style, typer.Option(help="Form of a console line.")] = "pretty",
    no_colour: Annotated[bool, typer.Option("--no-colour", help="Plain text, also on a terminal.")] = False,
) -> None:
    """Run an application and a receiver on loopback; show console lines, received records and the ledger."""
    service = load_service()
    started = time.monotonic()
    with OtlpReceiver() as receiver, only_loopback(receiver.endpoint):
        settings = make_settings(receiver, style, no_colour)
        title = report.title_writer(colour=console.wants_colour(settings.console))
        title("1. The console of the application: one line per record, the trace id in it")
        ledger, statuses = service.run_application(settings)
        records, spans = receiver.log_records, service.span_ids(receiver)
        title(f"2. What the receiver decoded: {len(records)} log records, {len(spans)} spans")
        typer.echo(report.records_table(records))
        title("3. The ledger: what became of every record")
        typer.echo(report.ledger_lines(ledger))
        title("4. Checks")
        checks = service.find_checks(receiver, ledger, statuses)
    for check in checks:
        typer.echo(f"{'ok    ' if check.holds else 'FAILED'}  {check.what}")
    typer.echo(f"\n{time.monotonic() - started:.1f} s")
    if not all(check.holds for check in checks):
        raise typer.Exit(1)


def load_service() -> ModuleType:
    """Load the part that needs FastAPI, uvicorn and OpenTelemetry's instrumentation of FastAPI.

    Raises:
        MissingDependencyError: One of them is not installed; with the pip line.
    """
    try:
        from fapilog.cli import demo_service  # noqa: PLC0415 - an extra, and only this command needs it
    except ModuleNotFoundError as error:
        raise MissingDependencyError('"fapilog[fastapi]"', "fapilog demo") from error
    return demo_service


def make_settings(receiver: OtlpReceiver, style: Style, no_colour: bool) -> Settings:
    """Return the settings of the application: to the receiver, and to this terminal."""
    return Settings.load(
        exporters=("otlp", "console"),
        redaction={"mode": "scan"},
        service={"name": "demo-shop"},
        otlp={"endpoint": receiver.logs_endpoint},
        console={"style": style, "stream": "stdout", "colour": "never" if no_colour else "auto"},
    )
