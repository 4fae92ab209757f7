"""The peers' plain fold computes what our views compute: otherwise they would not do the same job."""

import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.peers.spec import write_spec
from benchmarks.workload import Workload
from feature_store.aggregators import RecentIds
from feature_store.catalog import load_catalog
from feature_store.schema.batches import EntityBatch
from feature_store.schema.ids import hash53_column

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks" / "peers"))
from per_event_fold import PerEventFold, load_spec

WORLD = Workload(events=3000, users=20, items=30, creators=4)
NOW_MS = 1_700_000_000_000


def test_rows_of_the_peers_equal_ours(tmp_path: Path) -> None:
    catalog = load_catalog()
    fold = PerEventFold(
        load_spec(write_spec(tmp_path / "spec", catalog, ("user", "item", "user|creator"), "", ""))
    )
    for _, payload in WORLD.items_json(NOW_MS):
        fold.apply(payload)
    events = [json.loads(payload) for _, payload in WORLD.events_json(NOW_MS)]
    for event in events:
        fold.apply(json.dumps(event).encode())
    theirs = fold.take_dirty()
    for view in [*catalog.views_of("item"), catalog.view("user"), catalog.view("user|creator")]:
        ids = [_id(view.entity, event) for event in events]
        unique = sorted(set(ids))
        batch = _batch(events, unique, ids)
        rows = view.blank_rows(len(unique))
        view.fold(rows, batch.entity_index.astype(np.intp), batch)
        for entity_id, row in zip(unique, rows, strict=True):
            peer = np.frombuffer(theirs[f"peer:{view.fingerprint}:{entity_id}"])
            np.testing.assert_allclose(peer[1:], row[1:], rtol=1e-12)
    assert not any(
        isinstance(f.source, RecentIds) for view in catalog.views_of("item") for f in view.features
    )


def _id(entity: str, event: dict) -> str:
    creator = f"c{int(event['item_id'][1:]) % WORLD.creators}"
    return {
        "item": event["item_id"],
        "user": event["user_id"],
        "user|creator": f"{event['user_id']}|{creator}",
    }[entity]


def _batch(events: list[dict], unique: list[str], ids: list[str]) -> EntityBatch:
    names = [e["type"] if e["type"] == "impression" else f"interaction/{e['action']}" for e in events]
    known = sorted(set(names))
    n = len(events)
    return EntityBatch(
        entity_ids=unique,
        entity_index=np.array([unique.index(entity_id) for entity_id in ids], np.int32),
        event_names=known,
        event_index=np.array([known.index(name) for name in names], np.int32),
        event_time_ms=np.array([event["event_time_ms"] for event in events]),
        value=np.ones(n),
        source_partition=np.zeros(n, np.int32),
        source_offset=np.arange(n),
        ranges={0: (0, n - 1)},
        extra={"item_hash": hash53_column(event["item_id"] for event in events)},
    )
