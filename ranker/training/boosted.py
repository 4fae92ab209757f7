"""The baseline that a net has to beat: gradient-boosted trees on the same rows.

Source: Ke et al., "LightGBM" (NeurIPS 2017); Burges, "From RankNet to LambdaRank to LambdaMART" (2010).
"""

from collections.abc import Callable

import lightgbm
import numpy as np
from numpy.typing import NDArray

from ranker.training.rows import Float32, Rows

TREES_AT_MOST = 400
_PATIENCE = 30
_PARAMETERS = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}


def boosted_trees(
    train: Rows,
    validation: Rows,
    columns: Callable[[Rows], Float32],
    *,
    seed: int,
    threads: int = 1,
) -> Callable[[Rows], NDArray[np.float64]]:
    """Scores of LambdaMART, with as many trees as the validation part likes best.

    Parameters
    ----------
    columns : what it reads of rows, (n, d): the dense columns, as the net reads them
    """
    learned, stopped = (
        lightgbm.Dataset(columns(part), part.labels["click"], group=np.diff(part.starts), free_raw_data=True)
        for part in (train, validation)
    )
    booster = lightgbm.train(
        {**_PARAMETERS, "seed": seed, "num_threads": threads},
        learned,
        TREES_AT_MOST,
        valid_sets=[stopped],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )

    def score(rows: Rows) -> NDArray[np.float64]:
        return np.asarray(booster.predict(columns(rows)), np.float64)

    return score
