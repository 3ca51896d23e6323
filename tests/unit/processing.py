"""A log record processor that does what it is told, and a recorder with some of them."""

from opentelemetry.sdk._logs import LogRecordProcessor

from tests.unit.recording import Recorder


class Processor(LogRecordProcessor):
    """Does `act(record)` on every record, and remembers what it was asked."""

    def __init__(self, act=lambda record: None, wants=True):
        self.act = act
        self.wants = wants
        self.seen = []
        self.asked = []
        self.flushed = []
        self.ended = 0

    def on_emit(self, log_record):
        self.seen.append(log_record)
        self.act(log_record)

    def enabled(self, **asked):
        self.asked.append(asked)
        if isinstance(self.wants, Exception):
            raise self.wants
        return self.wants

    def force_flush(self, timeout_millis=30_000):
        self.flushed.append(timeout_millis)
        return True

    def shutdown(self):
        self.ended += 1


def recorder_with(*processors, **settings):
    """Answer a recorder whose provider has these processors."""
    recorder = Recorder(**settings)
    for processor in processors:
        recorder.provider.add_log_record_processor(processor)
    return recorder
