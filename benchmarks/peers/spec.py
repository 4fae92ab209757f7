"""The job that peers do, as JSON: which features of which entities, and where the row of each begins."""

import json
from pathlib import Path

from feature_store.aggregators import Age, Count, DecayedSum, PaneWindow
from feature_store.catalog import Catalog
from feature_store.views import FeatureView, Rate


def write_spec(path: Path, catalog: Catalog, views: tuple[str, ...], kafka: str, redis: str) -> Path:
    """Write the specification of ``views``; its path."""
    declared = [_view(catalog.view(name)) for name in views]
    path.write_text(json.dumps({"kafka": kafka, "redis": redis, "views": declared}))
    return path


def _view(view: FeatureView) -> dict[str, object]:
    features = [
        {**_source(feature.source), "slot": view.state_of(feature.name).start}
        for feature in view.features
        if not isinstance(feature.source, Rate)
    ]
    return {
        "entity": view.entity,
        "fingerprint": view.fingerprint,
        "blank": view.blank_rows(1)[0].tolist(),
        "features": features,
    }


def _source(source: object) -> dict[str, object]:
    match source:
        case Count(event=event):
            return {"kind": "count", "event": event}
        case DecayedSum(event=event):
            return {"kind": "decayed", "event": event, "half_life_ms": source.half_life_ms}
        case PaneWindow(event=event, pane_s=pane_s, panes=panes):
            return {"kind": "panes", "event": event, "pane_ms": pane_s * 1000, "panes": panes}
        case Age(event=event):
            return {"kind": "age", "event": event}
    raise TypeError(f"the peers do not know {source!r}")
