"""A Redis that accepts connections and never answers."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

TIMEOUT_S = 0.01


@contextmanager
def silent_redis(timeout_s: float = TIMEOUT_S) -> Iterator[Redis]:
    """A client of it that introduces itself in no way, so that the first question is the one that waits."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        yield Redis(
            port=port,
            socket_timeout=timeout_s,
            protocol=2,
            driver_info=None,
            retry=Retry(NoBackoff(), 0),
        )
