"""Until when what a user did counts as a label: never longer than the exposure join looks for it."""

from ranker.training.errors import TrainingError
from ranker.training.settings import LearningSettings
from streams.apps.join_settings import JoinSettings


def label_window_s(asked_s: float | None = None) -> float | None:
    """What was asked for, else what the settings say, s; None: as long as the join waits for every exposure.

    Raises
    ------
    TrainingError
        The join looks for no outcome that late.
    """
    window_s = LearningSettings().label_window_s if asked_s is None else asked_s
    late_s = JoinSettings().join_late_s
    if window_s is not None and window_s > late_s:
        raise TrainingError(
            f"a label window of {window_s:g} s: "
            f"no outcome later than {late_s:g} s after its impression is joined; "
            "ask for at most that, or raise EDDYLINE_JOIN_LATE_S of the join (and here) first"
        )
    return window_s
