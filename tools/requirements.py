"""Print what `.venv` needs before fapilog itself is built: build backends, dependencies, every extra.

pip can install a dependency group without building the project, but not the project's own dependencies.
"""

import sys
import tomllib
from pathlib import Path


def main() -> None:
    """Write one requirement per line, as pip reads them."""
    metadata = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    project = metadata["project"]
    lines = [*metadata["build-system"]["requires"], *project["dependencies"]]
    for extra in project.get("optional-dependencies", {}).values():
        lines.extend(extra)
    for plugin in sorted(Path("plugins").glob("*/pyproject.toml")):
        lines.extend(tomllib.loads(plugin.read_text(encoding="utf-8"))["build-system"]["requires"])
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
