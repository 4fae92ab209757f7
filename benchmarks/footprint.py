"""What a million entities cost in Redis and in each process; how long the stack takes to start."""

import time

import psutil
import redis

from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from benchmarks.throughput import wait_until_covered
from benchmarks.workload import Workload, produce
from feature_store.settings import Settings

WORLD = Workload(events=1_000_000, users=400_000, items=20_000, creators=2_000)


def measure() -> list[Figure]:
    """Figures of one stack that has folded a million events of 400 k users, whose rows are over a million."""
    with running_stack() as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis)
        server = redis.Redis.from_url(stack.redis)
        empty = int(server.info("memory")["used_memory"])
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        produce(settings, WORLD.events_json(now_ms - 60_000))
        wait_until_covered(settings)
        keys = int(server.dbsize())
        used = int(server.info("memory")["used_memory"]) - empty
        return [
            Figure("start-up of the stack, from `up` until ready", stack.startup_s, "s"),
            Figure("rows in Redis", float(keys), "rows"),
            Figure("Redis memory per row, keys and overhead included", used / keys, "bytes"),
            *_resident(stack),
        ]


def _resident(stack: RunningStack) -> list[Figure]:
    supervisor = psutil.Process(stack.status["supervisor"]).memory_info().rss / 2**20
    processes = {name: resident_mib(pid) for name, pid in stack.status["processes"].items()}
    return [
        Figure(f"resident memory of {name}", mib, "MiB")
        for name, mib in ({"the supervisor": supervisor} | processes).items()
    ]


def resident_mib(pid: int) -> float:
    """Of a process and all that it started, MiB: Triton's own is a tenth of it, its model runs in a child.

    Pages that they share count for each.
    """
    process = psutil.Process(pid)
    return sum(each.memory_info().rss for each in (process, *process.children(recursive=True))) / 2**20
