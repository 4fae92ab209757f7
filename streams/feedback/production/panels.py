"""Which messages of an epoch's panel can be believed."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pyarrow as pa

from feature_store.schema.panel import PanelHeader, PanelRows
from feature_store.slices import ALL_USERS, MOST_SLICES
from streams.feedback.production.columns import panel_columns

MOST_MISSING = 0.05
"""Share of a panel's items that may not have arrived."""


def model_of(rows: PanelRows) -> str:
    """Name of the model that made the scores."""
    return rows.header.model_version.partition(":")[0]


def of_model(panel: Sequence[PanelRows], model: str | None) -> list[PanelRows]:
    """The messages that agree with the first one of ``model``, and of their slice; None: of any."""
    scored = [part for part in panel if model is None or model_of(part) == model]
    firsts: dict[str, PanelHeader] = {}
    for part in scored:
        firsts.setdefault(part.header.user_slice, part.header)
    return [
        part
        for part in scored
        if part.header == firsts[part.header.user_slice]
        and _of_all_slices(part.header) == _of_all_slices(scored[0].header)
    ]


def problem(parts: Sequence[PanelRows], epoch_ms: int) -> str | None:
    """Why the ``parts`` of one model say nothing of an epoch; None: they do, of one slice at least."""
    if not parts:
        return "no_panel"
    header = parts[0].header
    if header.epoch_ms != epoch_ms:
        return "other_epoch_length"
    if len(header.slices) > MOST_SLICES:
        return "too_many_slices"
    return None if any(by_slice(parts)) else "panel_incomplete"


def by_slice(parts: Sequence[PanelRows]) -> list[list[PanelRows]]:
    """The messages of each slice, in order; none of one of which too many items are missing."""
    names = parts[0].header.slices or (ALL_USERS,)
    return [_whole([part for part in parts if part.header.user_slice == name]) for name in names]


def over_all_users(parts: Sequence[PanelRows]) -> list[PanelRows]:
    """Scores alone, as means over the slices that are there; of the items that all of them have."""
    header = parts[0].header
    if not header.slices:
        return list(parts)
    rows = panel_columns(by_slice(parts), 0)
    items = rows.item_id.to_numpy(zero_copy_only=False).astype(str)
    names, first, place, count = np.unique(items, return_index=True, return_inverse=True, return_counts=True)
    kept = count == len(np.unique(rows.subject))
    raw = np.bincount(place, rows.raw_score) / count
    whole = msgspec.structs.replace(header, user_slice=ALL_USERS, slices=(), features=())
    ids = pa.array(names[kept], pa.string())
    return [PanelRows(whole, ids, raw[kept], np.zeros((len(ids), 0)), rows.nudge[first][kept])]


def _of_all_slices(header: PanelHeader) -> PanelHeader:
    return msgspec.structs.replace(header, user_slice=ALL_USERS, users=0)


def _whole(parts: list[PanelRows]) -> list[PanelRows]:
    arrived = sum(len(part) for part in parts)
    return parts if parts and arrived >= (1 - MOST_MISSING) * parts[0].header.items else []
