"""A port of this machine that nobody listens on, for a server whose address must be known before it starts."""

import socket


def free_port() -> int:
    """Return it; the kernel does not give it out again soon."""
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])
