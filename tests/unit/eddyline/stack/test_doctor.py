"""The doctor, on this machine with chosen limits."""

import os
import shutil
import socket

from eddyline.stack.doctor import Finding, examine
from eddyline.stack.settings import StackSettings


def findings(settings: StackSettings, ports: dict[str, int] | None = None) -> dict[str, Finding]:
    return {finding.check: finding for finding in examine(settings, ports or {})}


def test_too_little_disk_and_memory_are_found_with_a_remedy(tmp_path):
    greedy = StackSettings(home=tmp_path / "not" / "yet", min_free_disk_gb=10**9, min_free_memory_gb=10**9)
    found = findings(greedy)
    assert not found["disk"].good
    assert not found["memory"].good
    assert str(tmp_path) in found["disk"].remedy


def test_the_disk_that_kafka_may_take_is_asked_for_less_what_it_holds(tmp_path):
    free_gb = shutil.disk_usage(tmp_path).free / 1e9
    beyond = StackSettings(home=tmp_path, kafka_disk_gb=free_gb, min_free_disk_gb=0)
    assert beyond.disk_gb > free_gb
    assert not findings(beyond)["disk"].good
    before = findings(beyond)["disk"].remedy
    assert "EDDYLINE_KAFKA_DISK_GB" in before
    (tmp_path / "kafka").mkdir()
    with (tmp_path / "kafka" / "held").open("wb") as held:
        os.posix_fallocate(held.fileno(), 0, 400_000_000)
    after = findings(beyond)["disk"].remedy
    assert 0.25 < float(before.split()[1]) - float(after.split()[1]) < 0.55


def test_enough_is_good(tmp_path):
    modest = StackSettings(home=tmp_path, kafka_disk_gb=0, min_free_disk_gb=0, min_free_memory_gb=0)
    found = findings(modest)
    assert found["disk"].good
    assert found["memory"].good
    assert found["python"].good


def test_a_taken_port_is_found_and_a_free_one_is_good(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert not findings(StackSettings(home=tmp_path), {"kafka": taken})["port of kafka"].good
    assert findings(StackSettings(home=tmp_path), {"kafka": taken})["port of kafka"].good


def test_missing_parts_say_how_to_get_them(tmp_path):
    found = findings(StackSettings(home=tmp_path, parts=tmp_path))
    assert not found["kafka broker"].good
    assert "make setup" in found["kafka broker"].remedy
    assert not found["triton server"].good


def test_without_triton_it_is_not_looked_for(tmp_path):
    assert "triton server" not in findings(StackSettings(home=tmp_path, parts=tmp_path, inference="embedded"))
