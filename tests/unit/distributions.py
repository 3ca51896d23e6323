"""Packages made on the spot: a dist-info folder and a module, as an installer would leave them."""

import textwrap
from pathlib import Path


def install(
    folder: Path, name: str, entry_points: dict[str, dict[str, str]], code: str = "", version: str = "1.0"
) -> None:
    """Put a package into a folder of `sys.path`: `{group: {name: "module:object"}}` and its one module."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    sections = (
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in points.items())])
        for group, points in entry_points.items()
    )
    (info / "entry_points.txt").write_text("\n".join(sections) + "\n")
    if code:
        (folder / f"{name.replace('-', '_')}.py").write_text(textwrap.dedent(code))
