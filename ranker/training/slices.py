"""Parts of the test rows that a mean may hide: new users, new items, each genre."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ranker.training.rows import Rows
from triton_models.counters import IMPRESSIONS
from triton_models.signature import Signature

NEW_ITEM_IMPRESSIONS = 10
"""An item seen fewer times is new."""

MIN_REQUESTS = 30
"""A slice with fewer clicked requests is not measured: its figure would be noise."""

_USER_IMPRESSIONS = "user.impression_count_total"
_GENRE = "genre_"


def slices(rows: Rows, signature: Signature, names: Mapping[int, str]) -> dict[str, NDArray[np.bool_]]:
    """Name of each slice -> (n,) its rows; only those that enough clicked requests fall into.

    Parameters
    ----------
    names : hash of a genre -> its name; others go by their hash
    """
    found = {**_new(rows, signature), **_genres(rows, signature, names)}
    return {name: mask for name, mask in found.items() if _clicked_requests(rows, mask) >= MIN_REQUESTS}


def _new(rows: Rows, signature: Signature) -> dict[str, NDArray[np.bool_]]:
    columns = (*signature.user, *signature.candidate)
    found = {}
    if _USER_IMPRESSIONS in columns:
        found["new users"] = rows.dense[:, columns.index(_USER_IMPRESSIONS)] == 0
    if IMPRESSIONS in columns:
        found["new items"] = rows.dense[:, columns.index(IMPRESSIONS)] < NEW_ITEM_IMPRESSIONS
    return found


def _genres(rows: Rows, signature: Signature, names: Mapping[int, str]) -> dict[str, NDArray[np.bool_]]:
    places = [place for place, column in enumerate(signature.ids) if column.startswith(_GENRE)]
    genres = rows.ids[:, places]
    present = np.unique(genres[genres != 0])
    named = {names.get(genre, f"{genre:x}"): genre for genre in present.tolist()}
    return {f"genre {name}": (genres == named[name]).any(axis=1) for name in sorted(named)}


def _clicked_requests(rows: Rows, mask: NDArray[np.bool_]) -> int:
    return len(np.unique(rows.request[mask & (rows.labels["click"] > 0)]))
