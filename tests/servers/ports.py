"""Free loopback ports for servers that cannot pick one themselves and say which."""

import socket


def free_ports(count: int) -> list[int]:
    """Answers distinct ports that were free a moment ago; start again a server that finds one taken."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()
