"""Settings from a file; the environment and arguments still win, and `origin` tells which one did."""

from pathlib import Path

import fapilog
from fapilog import Settings

settings = Settings.load(Path(__file__).with_suffix(".yaml"), level="debug")
fapilog.configure_otel(settings=settings)

for name in ("level", "console.style", "buffer.overflow"):
    print(f"{name}: from {Path(settings.origin(name)).name}")
fapilog.get_logger("orders").debug("visible, because the argument wins over the file")
fapilog.get_logger("sqlalchemy.engine").warning("not visible, because of `levels` in the file")
