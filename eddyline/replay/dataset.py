"""A RankLens log as a training set: what people were shown, and what of it they clicked."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from eddyline.replay.ranklens import Item, RankLensLog, time_ms
from feature_store.views import ItemAttribute
from ranker.training.datasets.dataset import (
    FEATURE,
    FIXED,
    LABEL,
    OURS,
    Dataset,
    Description,
    check,
    in_order,
)

CLICK = "click"


def ranklens_dataset(log: RankLensLog, attributes: Sequence[ItemAttribute], source: str) -> Dataset:
    """One row per item of each ranking; its numeric attributes are the features. Checked.

    RankLens shows items at random and does not say with which probability, so there are no propensities.

    Raises
    ------
    DatasetError
        Nothing can be learned from it; see `check`.
    """
    clicked = {(one.ranking, one.item): time_ms(one) for one in log.interactions if one.type == CLICK}
    shown = [(ranking, at, item.id) for ranking in log.rankings for at, item in enumerate(ranking.items)]
    clicks = [clicked.get((ranking.id, item)) for ranking, _, item in shown]
    times = [time_ms(ranking) for ranking, _, _ in shown]
    items = [item for _, _, item in shown]
    columns: dict[str, Sequence[object]] = {
        "request_id": [ranking.id for ranking, _, _ in shown],
        "user_id": [ranking.user for ranking, _, _ in shown],
        "item_id": items,
        "time_ms": times,
        "position": [at for _, at, _ in shown],
        "propensity": [None] * len(shown),
        "importance_weight": [None] * len(shown),
        "impression_time_ms": times,
        "outcome_time_ms": clicks,
        "status": ["on_time"] * len(shown),
        **dict.fromkeys(OURS, [None] * len(shown)),
    }
    fixed = {name: pa.array(columns[name], kind) for name, kind in FIXED.items()}
    label = {LABEL + CLICK: np.array([click is not None for click in clicks], np.float32)}
    features = _features(log.items, attributes, items)
    rows = in_order(pa.table({**fixed, **label, **features}))
    first_ms, last_ms = min(times, default=None), max(times, default=None)
    dataset = Dataset(rows, Description(source, impressions_from_ms=first_ms, impressions_until_ms=last_ms))
    check(dataset)
    return dataset


def _features(
    items: Sequence[Item], attributes: Sequence[ItemAttribute], shown: Sequence[str]
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Each attribute of each item shown, its default where the log has none."""
    known = {item.item: {field.name: field.value for field in item.fields} for item in items}
    return {
        f"{FEATURE}attribute.{attribute.name}": np.array(
            [_number(known.get(item, {}).get(attribute.name), attribute.default) for item in shown],
            np.float32,
        )
        for attribute in attributes
    }


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default
