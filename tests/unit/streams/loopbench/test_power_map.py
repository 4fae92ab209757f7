"""The map of power: more cells and less noise are never worse."""

import json

from typer.testing import CliRunner

from eddyline.cli import build
from streams.loopbench import power_map


def test_the_map_is_written_with_all_that_it_depends_on(monkeypatch, tmp_path):
    monkeypatch.setattr(power_map, "ITEMS", (300,))
    monkeypatch.setattr(power_map, "DELTAS", (0.2,))
    monkeypatch.setattr(power_map, "GAINS", (0.3,))
    words = ["loops", "power-map", "--seeds", "3", "--output", str(tmp_path)]
    assert CliRunner().invoke(build(), words).exit_code == 0
    points = json.loads((tmp_path / "power-map.json").read_text())["points"]
    assert len(points) == 2 * 2 * 3
    assert (tmp_path / "power-map.svg").exists()
    power = {(p["sampler"], p["noise"], p["cells"]): p["power"] for p in points}
    for sampler in ("softmax", "top-k"):
        rising = [power[sampler, 0.1, 300 * epochs] for epochs in power_map.LOOKED_AT]
        assert rising == sorted(rising)
        assert rising[-1] == 1.0
        assert power[sampler, 0.1, 12_000] >= power[sampler, 0.3, 12_000]
