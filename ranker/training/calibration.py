"""Probabilities that mean what they say: an affine map of each head's logit, and how far off it is.

Sources: Platt, "Probabilistic outputs for support vector machines" (1999); Naeini, Cooper and Hauskrecht,
"Obtaining well calibrated probabilities using Bayesian binning" (AAAI 2015), here in bins of equal mass.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from ranker.training.predict import inputs_of
from ranker.training.rows import Rows
from triton_models.timeline_ranker import TimelineRanker

BINS = 15
_STEPS = 25
_RIDGE = 1.0
"""Strength, in rows, of the belief that the logits are right as they are."""

Float64 = NDArray[np.float64]


def calibrate(net: TimelineRanker, rows: Rows, user: int) -> None:
    """Fit ``net.scale`` and ``net.shift`` to rows that the net has not learned from. Orders stay as they are.

    Parameters
    ----------
    user : number of user columns, the first of the dense ones
    """
    net.eval()
    with torch.inference_mode():
        logits = net.logits(*inputs_of(rows, user)).mean(dim=0).double().numpy()
    for head, label in enumerate(rows.labels.values()):
        scale, shift = affine(logits[:, head], label.astype(np.float64))
        net.scale[head], net.shift[head] = scale, shift


def affine(logits: Float64, labels: Float64) -> tuple[float, float]:
    """(scale, shift) of the likeliest ``sigmoid(scale * logits + shift)``, by Newton's method.

    A scale that would turn the order around, or hardly keep it, gives (1, 0).
    """
    inputs = np.stack((logits, np.ones_like(logits)), axis=1)
    start = np.array([1.0, 0.0])
    weights = start.copy()
    for _ in range(_STEPS):
        predicted = 1 / (1 + np.exp(-inputs @ weights))
        gradient = inputs.T @ (predicted - labels) + _RIDGE * (weights - start)
        curvature = (inputs * (predicted * (1 - predicted))[:, None]).T @ inputs + _RIDGE * np.eye(2)
        weights = weights - np.linalg.solve(curvature, gradient)
    fits = bool(np.isfinite(weights).all()) and weights[0] > 0.05
    return (float(weights[0]), float(weights[1])) if fits else (1.0, 0.0)


def calibration_error(predicted: NDArray[np.floating], labels: NDArray[np.floating]) -> float:
    """Expected calibration error in :data:`BINS` bins of equal mass, weighted by their rows."""
    order = np.argsort(predicted, kind="stable")
    bins = np.array_split(order, min(BINS, len(order)))
    gaps = [abs(float(predicted[part].mean()) - float(labels[part].mean())) * len(part) for part in bins]
    return sum(gaps) / len(order)


def error_by_chance(predicted: NDArray[np.floating], *, draws: int = 100, seed: int = 0) -> float:
    """What :func:`calibration_error` stays below 95 times in 100 if the predictions are exactly right.

    Few rows make any model look uncalibrated; this says by how much.
    """
    rng = np.random.default_rng(seed)
    drawn = ((rng.random(len(predicted)) < predicted).astype(np.float64) for _ in range(draws))
    return float(np.quantile([calibration_error(predicted, labels) for labels in drawn], 0.95))
