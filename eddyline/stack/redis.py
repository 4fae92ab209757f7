"""Redis, set up to keep what it confirmed: append-only file, no snapshots, no eviction."""

import os
from pathlib import Path

from eddyline.stack.parts import Parts
from eddyline.stack.probes import redis_answers
from eddyline.stack.process import Process
from eddyline.stack.settings import StackSettings


def redis(
    settings: StackSettings,
    parts: Parts,
    folder: Path,
    port: int,
    *,
    name: str = "redis",
    cluster: bool = False,
) -> Process:
    """A Redis server on ``127.0.0.1:port``; with ``cluster`` a node of a cluster that owns no slots yet."""
    folder.mkdir(parents=True, exist_ok=True)
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": folder,
        "save": "",
        "appendonly": "yes",
        "appendfsync": settings.redis_appendfsync,
        "maxmemory": f"{settings.redis_maxmemory_mb}mb",
        "maxmemory-policy": "noeviction",
        **({"cluster-enabled": "yes", "cluster-port": port + 10_000} if cluster else {}),
    }
    argv = [
        parts.redis_server,
        *(text for key, value in options.items() for text in (f"--{key}", str(value))),
    ]
    return Process(name=name, argv=lambda: argv, env=os.environ, ready=redis_answers(port))
