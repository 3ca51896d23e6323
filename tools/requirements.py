"""Print what `.venv` needs before fapilog itself is built: build backends, dependencies, every extra.

pip can install a dependency group without building the project, but not the project's own dependencies. What
comes with this repository is installed from here, and not named.
"""

import re
import sys
import tomllib
from pathlib import Path

FOLDERS = ("plugins", "instrumentation", "exporters")


def main() -> None:
    """Write one requirement per line, as pip reads them."""
    metadata = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    project = metadata["project"]
    lines = [*metadata["build-system"]["requires"], *project["dependencies"]]
    for extra in project.get("optional-dependencies", {}).values():
        lines.extend(extra)
    ours = [
        tomllib.loads(file.read_text(encoding="utf-8"))
        for folder in FOLDERS
        for file in sorted(Path(folder).glob("*/pyproject.toml"))
    ]
    for each in ours:
        lines.extend([*each["build-system"]["requires"], *each["project"]["dependencies"]])
    names = {"fapilog", *(each["project"]["name"] for each in ours)}
    kept = dict.fromkeys(line for line in lines if re.split(r"[^\w.-]", line)[0] not in names)
    sys.stdout.write("\n".join(kept) + "\n")


if __name__ == "__main__":
    main()
