"""A changed view on real parts: filled beside the one served, the old one retired, folded anew."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from redis import Redis

from feature_store.catalog import read_catalog
from feature_store.definition_files import SHIPPED
from feature_store.online import RowsOf
from feature_store.online.rows import decode_rows
from feature_store.schema.ids import partition_of
from feature_store.views import FeatureView, Float64
from tests.simulation.event_load import ITEMS
from tests.simulation.load import Load
from tests.simulation.pipeline import Pipeline, Workers, pipeline_on, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

EDDYLINE = str(Path(sys.executable).with_name("eddyline"))


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The shipped definitions, but for the half-life of one feature of the items."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    for path in SHIPPED.glob("*.toml"):
        text = path.read_text()
        if path.name == "views.toml":
            text = text.replace(
                'event = "impression", half_life_s = 3600', 'event = "impression", half_life_s = 60', 1
            )
        (folder / path.name).write_text(text)
    return folder


class Commands:
    """`eddyline features` on the parts of a pipeline."""

    def __init__(self, flow: Pipeline, definitions: Path) -> None:
        self._environment = {
            **os.environ,
            "EDDYLINE_HOME": str(flow.settings.home),
            "EDDYLINE_KAFKA_BOOTSTRAP": flow.settings.kafka_bootstrap,
            "EDDYLINE_REDIS_URL": flow.settings.redis_url.get_secret_value(),
            "EDDYLINE_DEFINITIONS": str(definitions),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [EDDYLINE, "features", *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *words: str) -> str:
        with self.start(*words) as process:
            output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        return output


def item_rows(flow: Pipeline, view: FeatureView) -> Float64:
    ids = [f"i{n}" for n in range(ITEMS)]
    partitions = [partition_of(item, flow.settings.batch_partitions) for item in ids]
    (stored,) = flow.store().read([RowsOf(view.fingerprint, ids, partitions)])
    return decode_rows(view, stored)


def test_a_changed_view_is_filled_taken_over_and_the_old_one_goes(
    kafka: str, tmp_path: Path, changed: Path
) -> None:
    old, new = (read_catalog(folder).view("item") for folder in (SHIPPED, changed))
    assert old.fingerprint != new.fingerprint
    with pipeline_on(kafka, tmp_path / "home") as flow:
        load, commands = Load(flow, random.Random(8)), Commands(flow, changed)
        with flow.workers(ingest=1, features=1):
            load.produce_items()
            load.produce(3_000, events_per_s=1_500)
            _kill_in_the_middle(flow, commands, new)
            load.produce(1_000)
            assert "caught up" in commands.run("backfill", "item")
            load.produce(500)
            flow.wait_settled()
        environment = {
            "EDDYLINE_DEFINITIONS": str(changed),
            "EDDYLINE_DEFINITIONS_RETIRING": str(SHIPPED),
        }
        with flow.workers(environment, ingest=1, features=1):
            load.produce(1_000)
            flow.wait_settled()
            wait_until(lambda: _reached(flow, new) == _reached(flow, old), "the new view is as far")
        assert load.differences() == []
        _same_but_for_the_change(item_rows(flow, old), item_rows(flow, new), old, new)
        _retired(flow, commands, old, new)
        with flow.workers({"EDDYLINE_DEFINITIONS": str(changed)}, features=1) as workers:
            _folded_anew(flow, workers, commands, new)


def _kill_in_the_middle(flow: Pipeline, commands: Commands, view: FeatureView) -> None:
    process = commands.start("backfill", "item")
    wait_until(lambda: any(_reached(flow, view)) or process.poll() is not None, "something is filled")
    process.kill()
    process.communicate()


def _reached(flow: Pipeline, view: FeatureView) -> list[int]:
    partitions = range(flow.settings.batch_partitions)
    found = flow.store().load_checkpoints(view.fingerprint, partitions)
    return [checkpoint.next_offset if checkpoint else 0 for checkpoint in found]


def _same_but_for_the_change(before: Float64, after: Float64, old: FeatureView, new: FeatureView) -> None:
    changed = old.state_of("impressions_1h")
    same = [slot for slot in range(old.width) if not changed.start <= slot < changed.stop]
    assert before[:, same].tobytes() == after[:, same].tobytes()
    assert new.width == old.width and (after[:, changed] != before[:, changed]).any()


def _retired(flow: Pipeline, commands: Commands, old: FeatureView, new: FeatureView) -> None:
    refused = commands.start("retire", new.fingerprint)
    output, _ = refused.communicate(timeout=60)
    assert refused.returncode == 1 and "is view item of the definitions" in output
    assert f"{ITEMS} rows expire in 600 s" in commands.run("retire", old.fingerprint, "--ttl-s", "600")
    assert "expiring" in commands.run("rows")
    with Redis.from_url(flow.settings.redis_url.get_secret_value()) as client:
        old_rows = list(client.scan_iter(f"*r:{old.fingerprint}:*"))
        assert len(old_rows) == ITEMS and all(0 < client.ttl(key) <= 600 for key in old_rows)
        assert all(client.ttl(key) == -1 for key in client.scan_iter(f"*r:{new.fingerprint}:*"))


def _folded_anew(flow: Pipeline, workers: Workers, commands: Commands, view: FeatureView) -> None:
    """Under a worker that runs, which begins again with the log; all else that Redis holds stays."""
    rows, reached, others = item_rows(flow, view), _reached(flow, view), _keys_of_others(flow, view)
    assert f"{ITEMS} rows removed" in commands.run("forget", view.fingerprint)
    wait_until(lambda: _reached(flow, view) == reached, "the view is folded again", 120)
    assert workers.restarts("features-0") > 0
    assert item_rows(flow, view).tobytes() == rows.tobytes()
    assert _keys_of_others(flow, view) == others


def _keys_of_others(flow: Pipeline, view: FeatureView) -> set[bytes]:
    with Redis.from_url(flow.settings.redis_url.get_secret_value()) as client:
        return {key for key in client.scan_iter() if view.fingerprint.encode() not in key}
