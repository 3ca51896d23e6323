"""What fapilog expects of an exporter, asked of ours."""

import pytest
from fapilog.testing import ExporterConformance

from json_lines import JsonLines


class TestJsonLines(ExporterConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        self.path = tmp_path / "out.jsonl"

    def make_exporter(self):
        return JsonLines(str(self.path))

    def received(self):
        if not self.path.is_file():
            return None if self.path.exists() else 0
        return len(self.path.read_bytes().splitlines())

    def break_destination(self):
        self.path.unlink(missing_ok=True)
        self.path.mkdir()
