"""What pages must not promise: a token is a pseudonym, and personal data stays personal data (GDPR 4(5))."""

import re

from tests.contract.snippets import ROOT


def test_no_page_and_no_profile_calls_what_is_left_of_a_value_anonymous():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "plugins").rglob("*.toml")]
    said = {
        str(page.relative_to(ROOT)): found.group()
        for page in pages
        if (found := re.search(r"\banonym\w*", page.read_text(encoding="utf-8"), re.IGNORECASE))
    }
    assert said == {}
