"""Every Python block of the README and of the how-to pages runs, and prints what the page says."""

from pathlib import Path

import pytest

from fapilog.testing import OtlpReceiver
from tests.contract.snippets import ROOT, Snippet, run_python, snippets, without_times

HOW_TO = (str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("docs/how-to/*.md")))
PAGES = ["README.md", "docs/operations/troubleshooting.md", *HOW_TO]
ALL = [snippet for page in PAGES for snippet in snippets(page)]


@pytest.fixture(scope="module")
def collector():
    with OtlpReceiver() as receiver:
        yield receiver


def test_every_page_has_a_snippet_and_every_python_fence_is_found():
    fences = {page: (ROOT / page).read_text(encoding="utf-8").count("```python\n") for page in PAGES}
    assert fences == {page: len(snippets(page)) for page in PAGES}
    assert min(fences.values()) > 0


@pytest.mark.parametrize("snippet", ALL, ids=str)
def test_a_snippet_runs_and_prints_what_the_page_shows(
    snippet: Snippet, collector: OtlpReceiver, tmp_path: Path
):
    if snippet.reason:
        pytest.skip(f"snippet not run: {snippet.reason}")
    done = run_python(["-c", snippet.code], tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    assert done.returncode == 0, done.stdout
    if snippet.output is not None:
        shown = [line for line in done.stdout.splitlines() if not line.startswith("fapilog: ")]
        assert without_times("\n".join(shown)) == without_times(snippet.output.rstrip())


def test_what_the_outage_page_says_about_stderr_is_true(collector: OtlpReceiver, tmp_path: Path):
    [program, *_] = snippets("docs/how-to/survive_an_outage.md")
    done = run_python(["-c", program.code], tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint)
    notices = [line for line in done.stdout.splitlines() if line.startswith("fapilog: ")]
    assert [line.split("(")[0].split(" http")[0] for line in notices] == [
        "fapilog: cannot deliver to",
        "fapilog:",
    ]
    assert " answers again after " in notices[1]
