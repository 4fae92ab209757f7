"""The same features as ours, one event at a time, in plain Python; no package of ours is needed.

Every peer uses it, so that what is compared is how events reach it and how rows leave.
"""

import json
import struct
from pathlib import Path

import redis

try:
    import orjson

    decode_json = orjson.loads
except ImportError:
    decode_json = json.loads

QUANTUM_HALF_LIVES = 64


def load_spec(path):
    """The job that the benchmark wrote."""
    return json.loads(Path(path).read_text())


class PerEventFold:
    """Rows of every view in memory, as lists of floats; what changed since the last write."""

    def __init__(self, spec):
        self._views = [_View(view) for view in spec["views"]]
        self._creator_of = {}

    def apply(self, payload):
        """Decode and fold one event; bytes that are none are passed over."""
        try:
            event = decode_json(payload)
            kind = event["type"]
        except (ValueError, KeyError, TypeError):
            return
        if kind == "item":
            self._creator_of[event["item_id"]] = event.get("creator_id")
        elif kind in ("impression", "interaction"):
            name = kind if kind == "impression" else f"interaction/{event['action']}"
            user, item = event["user_id"], event["item_id"]
            creator = self._creator_of.get(item)
            ids = {"user": user, "item": item, "creator": creator}
            ids["user|creator"] = f"{user}|{creator}" if creator else None
            for view in self._views:
                if entity_id := ids[view.entity]:
                    view.fold(entity_id, name, event["event_time_ms"])

    def take_dirty(self):
        """Key → bytes of each row changed since the last call."""
        rows = {}
        for view in self._views:
            view.take_dirty(rows)
        return rows


class _View:
    def __init__(self, spec):
        self.entity, self._fingerprint, self._blank = spec["entity"], spec["fingerprint"], spec["blank"]
        self._pack = struct.Struct(f"<{len(self._blank)}d").pack
        self._rows, self._dirty = {}, set()
        self._steps = {}
        for feature in spec["features"]:
            self._steps.setdefault(feature["event"], []).append(_STEPS[feature["kind"]](feature))

    def fold(self, entity_id, name, time_ms):
        steps = self._steps.get(name)
        if steps is None:
            return
        row = self._rows.get(entity_id)
        if row is None:
            row = self._rows[entity_id] = list(self._blank)
        if time_ms > row[1]:
            row[1] = time_ms
        for step in steps:
            step(row, time_ms)
        self._dirty.add(entity_id)

    def take_dirty(self, rows):
        for entity_id in self._dirty:
            key = f"peer:{self._fingerprint}:{entity_id}"
            rows[key] = self._pack(*self._rows[entity_id])
        self._dirty.clear()


def _count(feature):
    slot = feature["slot"]

    def step(row, time_ms):
        row[slot] += 1.0

    return step


def _decayed(feature):
    slot, half_life_ms = feature["slot"], feature["half_life_ms"]
    quantum_ms = QUANTUM_HALF_LIVES * half_life_ms

    def step(row, time_ms):
        quantum = time_ms // quantum_ms
        if quantum > row[slot + 1]:
            row[slot] *= 2.0 ** max(-1000.0, QUANTUM_HALF_LIVES * (row[slot + 1] - quantum))
            row[slot + 1] = quantum
        row[slot] += 2.0 ** ((time_ms - row[slot + 1] * quantum_ms) / half_life_ms)

    return step


def _panes(feature):
    slot, pane_ms, panes = feature["slot"], feature["pane_ms"], feature["panes"]

    def step(row, time_ms):
        pane = time_ms // pane_ms
        newest = int(row[slot])
        if pane > newest:
            for gone in range(max(newest + 1, pane - panes + 1), pane + 1):
                row[slot + 1 + gone % panes] = 0.0
            row[slot] = newest = pane
        if pane > newest - panes:
            row[slot + 1 + pane % panes] += 1.0

    return step


def _age(feature):
    slot = feature["slot"]

    def step(row, time_ms):
        if time_ms > row[slot]:
            row[slot] = time_ms

    return step


_STEPS = {"count": _count, "decayed": _decayed, "panes": _panes, "age": _age}


class RowWriter:
    """Writes rows and how far the source partition is, in one round trip."""

    def __init__(self, url):
        self._redis = redis.Redis.from_url(url)

    def write(self, rows, partition, offset):
        """One transactionless pipeline: MSET of the rows, then the progress."""
        pipeline = self._redis.pipeline(transaction=False)
        if rows:
            pipeline.mset(rows)
        pipeline.hset("peer:progress", partition, offset + 1)
        pipeline.execute()
