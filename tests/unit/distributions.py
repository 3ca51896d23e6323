"""Packages made on the spot: a dist-info folder and a module, as an installer would leave them."""

import textwrap
import zipfile
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


def wheel(
    folder: Path,
    name: str,
    entry_points: dict[str, dict[str, str]],
    code: str = "",
    *,
    version: str = "1.0",
    requires: tuple[str, ...] = (),
    others: tuple[str, ...] = (),
) -> Path:
    """Put a wheel of one module into a folder that serves as index; `others` are empty files in it."""
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    sections = (
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in points.items())])
        for group, points in entry_points.items()
    )
    files = {
        f"{module}.py": textwrap.dedent(code),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: A test.\n"
        + needs,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "\n".join(sections) + "\n",
        **dict.fromkeys(others, ""),
    }
    record = f"{info}/RECORD"
    files[record] = "".join(f"{path},,\n" for path in (*files, record))
    path = folder / f"{module}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name_in, text in files.items():
            archive.writestr(name_in, text)
    return path
