"""Where the answer to a nudge was found."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.answers import LAGS, Answers
from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import Float64, log_mean_exp
from streams.feedback.evidence.multiple_testing import e_bh

SET_LEVEL = 0.05
"""False discovery rate of the subjects named, and of the values of which the largest is."""

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Location:
    """The strongest place, and all subjects that are believed to be part of it.

    Attributes
    ----------
    subject, value : (*runs,) index of the subject and value with the largest β, after the lag named, of those
        that e-BH believes; with the most evidence where it believes none
    lag_epochs : (*runs,) epochs after which it answers most clearly
    subjects : (*runs, k) mask: e-BH over subjects
    """

    subject: Index
    value: Index
    lag_epochs: Index
    subjects: NDArray[np.bool_]


def locate(answers: Answers, counts: Mask) -> Location:
    """Where (*runs, k, f) ``answers`` have their evidence.

    In a net a feature that listens moves the contributions of those that it is multiplied by, and one that
    moves little by itself may show that with more certainty: among what is certain enough, size names.

    Parameters
    ----------
    counts : (*runs, k, f) values above what is allowed of them: of the others, however certain their answer,
        only something is said where no value counts
    """
    counts = counts | ~counts.any(axis=(-2, -1), keepdims=True)
    by_value = np.where(counts, answers.log_by_value(), -np.inf)
    *runs, k, f = by_value.shape
    flat = by_value.reshape(*runs, k * f)
    believed = e_bh(flat, SET_LEVEL)
    by_lag = log_mean_exp(np.where(counts[..., None], answers.log_by_lag(), -np.inf), axis=(-2, -3))
    lag = by_lag.argmax(axis=-1)
    betas = np.abs(np.nan_to_num(answers.betas.interval().estimate)).reshape(*runs, k * f, len(LAGS))
    size = np.take_along_axis(betas, lag[..., None, None], axis=-1)[..., 0]
    strongest = np.where(
        believed.any(axis=-1), np.where(believed, size, -1.0).argmax(axis=-1), flat.argmax(axis=-1)
    )
    return Location(
        subject=strongest // f,
        value=strongest % f,
        lag_epochs=np.array(LAGS)[lag],
        subjects=e_bh(log_mean_exp(by_value, axis=-1), SET_LEVEL),
    )


def strongest_first(mask: NDArray[np.bool_], beta: Float64, names: tuple[str, ...]) -> list[str]:
    """Names in ``mask`` (k,), by falling size of β: evidence grows with certainty, not with harm."""
    return [names[index] for index in np.argsort(-np.abs(np.nan_to_num(beta)), kind="stable") if mask[index]]
