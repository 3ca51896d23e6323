"""Orders in SQLite. Calls block, so FastAPI runs the endpoints that use it in threads."""

import sqlite3
import threading
from collections.abc import Iterator

import fapilog

log = fapilog.get_logger("shop.database")


class Orders:
    """A table of orders that threads share."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item, count)")

    def add(self, item: str, count: int) -> int:
        """Store an order; returns its number."""
        with self._lock, self._connection:
            cursor = self._connection.execute("INSERT INTO orders (item, count) VALUES (?, ?)", (item, count))
        order_id = cursor.lastrowid or 0
        # Bound by nobody here: it comes from the request, also in a thread.
        log.debug("row written", order_id=order_id)
        return order_id

    def find(self, order_id: int) -> tuple[str, int] | None:
        """Return item and count of an order; None: there is none."""
        with self._lock:
            row: tuple[str, int] | None = self._connection.execute(
                "SELECT item, count FROM orders WHERE id = ?", (order_id,)
            ).fetchone()
        log.debug("row read", order_id=order_id, found=row is not None)
        return row

    def all(self) -> Iterator[tuple[int, str, int]]:
        """Yield every order."""
        with self._lock:
            rows = self._connection.execute("SELECT id, item, count FROM orders ORDER BY id").fetchall()
        yield from rows

    def close(self) -> None:
        """Close the database."""
        self._connection.close()
