import msgspec

from eddyline.demo.training import GATE
from ranker.training.gate import load_gate


def test_the_demos_gate_is_the_shipped_one_but_for_latency() -> None:
    shipped, demo = load_gate(), load_gate(GATE)
    assert demo.latency.max_median_ms > shipped.latency.max_median_ms
    latency = msgspec.structs.replace(demo.latency, max_median_ms=shipped.latency.max_median_ms)
    assert msgspec.structs.replace(demo, latency=latency) == shipped
