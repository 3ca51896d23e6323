"""Which node a request goes to: in turn, those that did not answer left out for a while.

Threads: the delivery loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

_MAX_DOUBLINGS = 16


@dataclass
class _Node:
    url: str
    failures: int = 0
    dead_until: float = 0.0


class Nodes:
    """The nodes of one cluster.

    Args:
        urls: At least one.
        pause_seconds: A node that failed once is left out so long; each further time twice as long.
        longest_seconds: At most so long.
        clock: Monotonic seconds.

    Example:
        >>> nodes = Nodes(["http://a", "http://b"], 1.0, 60.0, clock=lambda: 0.0)
        >>> nodes.failed("http://a")
        >>> nodes.next(), nodes.next()
        ('http://b', 'http://b')
    """

    def __init__(
        self, urls: Sequence[str], pause_seconds: float, longest_seconds: float, clock: Callable[[], float]
    ) -> None:
        self._nodes = [_Node(url) for url in urls]
        self._pause_seconds = pause_seconds
        self._longest_seconds = longest_seconds
        self._clock = clock

    def next(self, tried: Collection[str] = ()) -> str | None:
        """Return the node whose turn it is, of those not `tried`; None: no further one is alive.

        With none tried there is always one: where all are dead, the one that comes back first.
        """
        now = self._clock()
        alive = [node for node in self._nodes if node.dead_until <= now and node.url not in tried]
        if not alive and tried:
            return None
        chosen = alive[0] if alive else min(self._nodes, key=lambda node: node.dead_until)
        self._nodes.remove(chosen)
        self._nodes.append(chosen)
        return chosen.url

    def has_other(self, tried: Collection[str]) -> bool:
        """Tell whether a node is alive that was not tried."""
        now = self._clock()
        return any(node.dead_until <= now and node.url not in tried for node in self._nodes)

    def failed(self, url: str) -> None:
        """Leave a node out for a while."""
        node = self._find(url)
        pause = self._pause_seconds * 2 ** min(node.failures, _MAX_DOUBLINGS)
        node.failures += 1
        node.dead_until = self._clock() + min(pause, self._longest_seconds)

    def answered(self, url: str) -> None:
        """Take a node as alive."""
        node = self._find(url)
        node.failures, node.dead_until = 0, 0.0

    def dead(self) -> tuple[str, ...]:
        """Return the nodes that are left out now."""
        now = self._clock()
        return tuple(node.url for node in self._nodes if node.dead_until > now)

    def _find(self, url: str) -> _Node:
        return next(node for node in self._nodes if node.url == url)
