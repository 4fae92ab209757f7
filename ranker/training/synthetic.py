"""Exposures with a known truth, for tests and for trying things out."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.exposures import ON_TIME
from triton_models.counters import CLICKS, IMPRESSIONS
from triton_models.signature import Signature

_FIRST_TIME_MS = 1_700_000_000_000
_REQUEST_EVERY_MS = 1_000


def synthetic_exposures(
    signature: Signature, *, requests: int, per_request: int = 12, seed: int = 0
) -> pa.Table:
    """Exposures whose clicks depend on the item's quality, on the last candidate column, and on the position.

    The counters know the quality only; so a model that reads every column beats them, and one that
    confuses position with preference does not.

    Parameters
    ----------
    requests, per_request : rows are their product
    """
    rng = np.random.default_rng(seed)
    n = requests * per_request
    features, quality, taste = _features(signature, requests, per_request, rng)
    position = np.concatenate([rng.permutation(per_request) for _ in range(requests)])
    logit = 4.0 * (quality - 0.5) + 1.5 * taste - 1.0 - 1.0 * position / per_request
    clicked = rng.random(n) < 1 / (1 + np.exp(-logit))
    request = np.repeat(np.arange(requests), per_request)
    return pa.table(
        {
            "user_id": [f"u{number}" for number in request],
            "request_id": [f"r{number}" for number in request],
            "item_id": [f"i{number}" for number in range(n)],
            "position_seen": pa.array(position, pa.int32()),
            "outcomes": pa.array(
                [[("click", 1.0)] if click else [] for click in clicked], pa.map_(pa.string(), pa.float64())
            ),
            "fingerprint": pa.array([signature.fingerprint] * n).dictionary_encode(),
            "finalize_time_ms": _FIRST_TIME_MS + request * _REQUEST_EVERY_MS,
            "impression_time_ms": _FIRST_TIME_MS + request * _REQUEST_EVERY_MS,
            "status": pa.array([ON_TIME] * n).dictionary_encode(),
            "revision": pa.array(clicked, pa.int32()),
            "features": _lists(features, pa.float32()),
            "ids": _lists(_ids(signature, requests, per_request, rng), pa.int64()),
        }
    )


def _features(
    signature: Signature, requests: int, per_request: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """(n, d) features as served, and of each row the quality and the taste behind its clicks."""
    n, user = requests * per_request, len(signature.user)
    quality, taste = rng.random(n), rng.standard_normal(n)
    impressions = rng.integers(20, 200, n)
    features = np.zeros((n, user + len(signature.candidate)), np.float32)
    features[:, :user] = np.repeat(rng.random((requests, user)), per_request, axis=0)
    features[:, user:] = rng.standard_normal((n, len(signature.candidate)))
    features[:, user + signature.candidate.index(IMPRESSIONS)] = impressions
    features[:, user + signature.candidate.index(CLICKS)] = rng.binomial(impressions, quality)
    features[:, -1] = taste
    return features, quality, taste


def _ids(
    signature: Signature, requests: int, per_request: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """(n, m) ids at random; recent ones are those of a request."""
    ids = rng.integers(1, 1_000, (requests, per_request, len(signature.ids)))
    recents = len(signature.single_ids)
    ids[:, :, recents:] = ids[:, :1, recents:]
    return ids.reshape(requests * per_request, -1)


def _lists(matrix: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1), kind), matrix.shape[1])
