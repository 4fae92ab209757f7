from math import log

from prometheus_client import CollectorRegistry, start_http_server

from eddyline.clients.running import RunningStack
from eddyline.demo.detectors import DetectorWatch
from eddyline.stack.addresses import Addresses
from feature_store.clock import ManualClock
from feature_store.settings import Settings
from streams.feedback.base import Verdict, VerdictKind
from streams.feedback.production.metrics import LoopMetrics


def judged(kind: VerdictKind, evidence: float) -> Verdict:
    """A verdict with W = 10 to the power of ``evidence``."""
    return Verdict(kind, "board", evidence * log(10), 100.0, 1000.0, 0)


def test_looks_are_a_second_apart_and_keep_what_changed() -> None:
    registry, clock = CollectorRegistry(), ManualClock()
    metrics = LoopMetrics(registry)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    addresses = Addresses("", "", None, None, "", "", "", "embedded", {"detectors-0": url, "ranker-0": ""})
    watch = DetectorWatch(RunningStack(Settings(), addresses), clock)

    assert watch.look().verdict == ""
    metrics.judged("scores", "counters", judged(VerdictKind.BLIND, 9.0), "nudges")
    metrics.judged("scores", "timeline_ranker", judged(VerdictKind.QUIET, 0.5), "nudges")
    assert watch.look().verdict == "", "asked again within a second"
    for verdict in (VerdictKind.QUIET, VerdictKind.QUIET, VerdictKind.LOOP_DETECTED):
        evidence = 3.5 if verdict is VerdictKind.LOOP_DETECTED else 0.5
        metrics.judged("scores", "timeline_ranker", judged(verdict, evidence), "nudges")
        clock.advance(1_000)
        watch.look()
    assert [(look.seconds, look.verdict, round(look.evidence, 1)) for look in watch.changes] == [
        (0.0, "", 0.0),
        (1.0, "quiet", 0.5),
        (3.0, "loop_detected", 3.5),
    ]
    assert watch.words() == (("loop detectors", "loop_detected"), ("evidence W", "10^3.5 of 10^3"))
    metrics.epochs.labels("scores", "used").inc(3)
    metrics.exposed("scores", {"late": 1_200, "ahead": 0})
    assert watch.counts() == "epochs used 3, exposures late 1,200"
    server.shutdown()
    thread.join()
