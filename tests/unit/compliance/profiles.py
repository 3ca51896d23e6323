"""Small profiles for tests; what installed ones say is for the tests of `fapilog-compliance`."""

from fapilog.compliance import Profile

HEAD = {
    "schema": 1,
    "version": "1",
    "title": "House",
    "standard": "7",
    "published": "2026-01-01",
    "updated": "2026-02-01",
    "summary": "Helps.",
}
CLAUSE = {"asks": "a", "mechanism": "b", "test": "c", "cannot": "d"}


def content(name="house", **parts):
    """What stands in a file: a head, the clauses 1 and 2, and the given parts."""
    return {**HEAD, "name": name, "clauses": [{"id": "1", **CLAUSE}, {"id": "2", **CLAUSE}]} | parts


def profile(name="house", **parts):
    """A profile with the given parts."""
    return Profile.model_validate(content(name, **parts))


def written(folder, text="", name="house"):
    """A file with a head, one clause and the given text."""
    head = "".join(
        f"{key} = {value!r}\n" for key, value in HEAD.items() if key not in {"published", "updated"}
    )
    dates = f"published = {HEAD['published']}\nupdated = {HEAD['updated']}\n"
    clause = "".join(f"{key} = {value!r}\n" for key, value in CLAUSE.items())
    path = folder / f"{name}.toml"
    path.write_text(
        f"name = {name!r}\n{head}{dates}{text}\n[[clauses]]\nid = '1'\n{clause}", encoding="utf-8"
    )
    return path
