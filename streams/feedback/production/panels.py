"""Which messages of an epoch's panel can be believed."""

from collections.abc import Sequence

from feature_store.schema.panel import PanelRows

MOST_MISSING = 0.05
"""Share of a panel's items that may not have arrived."""


def model_of(rows: PanelRows) -> str:
    """Name of the model that made the scores."""
    return rows.header.model_version.partition(":")[0]


def of_model(panel: Sequence[PanelRows], model: str | None) -> list[PanelRows]:
    """The messages that agree with the first one of ``model``; None: of any."""
    scored = [part for part in panel if model is None or model_of(part) == model]
    return [part for part in scored if part.header == scored[0].header]


def problem(parts: Sequence[PanelRows], epoch_ms: int) -> str | None:
    """Why the ``parts`` of one model say nothing of an epoch; None: they do."""
    if not parts:
        return "no_panel"
    header = parts[0].header
    if header.epoch_ms != epoch_ms:
        return "other_epoch_length"
    arrived = sum(len(part) for part in parts)
    return "panel_incomplete" if arrived < (1 - MOST_MISSING) * header.items else None
