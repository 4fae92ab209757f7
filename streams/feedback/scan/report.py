"""All that one scan says of a log."""

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from streams.feedback.scan.codes import code_logs
from streams.feedback.scan.exposure import EPOCHS, Concentration, Trend, concentration, trend
from streams.feedback.scan.log import ExposureLog, LogError
from streams.feedback.scan.values import RewardDifference, ValueLine, reward_difference, value_lines

CONFIDENCE = 0.99


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What a log shows.

    Attributes
    ----------
    concentration : of the log
    other : of the other log, if one was given
    trend : of the concentration; None where the log has no time, or too few rows for it
    values : off-policy values, and why those are missing that are
    difference : of the two logs' mean rewards, or why there is none; None where there is one log
    notes : what limits the report
    """

    concentration: Concentration
    other: Concentration | None
    trend: Trend | None
    values: list[ValueLine]
    difference: RewardDifference | str | None
    notes: list[str]

    def to_json(self) -> dict[str, Any]:
        """As plain objects, the verdicts spelled out."""
        plain: dict[str, Any] = msgspec.to_builtins(self, enc_hook=lambda number: number.tolist())
        plain["concentration"]["concentrated"] = self.concentration.concentrated
        if self.other is not None:
            plain["other"]["concentrated"] = self.other.concentrated
        if self.trend is not None:
            plain["trend"]["growing"] = self.trend.growing
        if isinstance(self.difference, RewardDifference):
            plain["difference"]["claimed"] = self.difference.claimed
        return plain


def scan(
    log: ExposureLog,
    other: ExposureLog | None = None,
    *,
    catalogue_size: int = 0,
    timed: bool = True,
    seed: int = 0,
) -> ScanReport:
    """Scan ``log``, and compare it with ``other``, e.g. one of uniform exposure over the same time.

    Parameters
    ----------
    catalogue_size : how many items could have been shown, where more could than were
    timed : whether rows have times, so that they make a trend
    seed : of the thinning and of the uniform draws

    Raises
    ------
    LogError
        Only one item could have been shown, or the logs have no time in common.
    """
    logs = [log] if other is None else [log, other]
    coded, *others = code_logs(logs, catalogue_size)
    if coded.items < 2:
        raise LogError("only one item could have been shown: there is nothing to spread exposure over")
    coded_other = others[0] if others else None
    rng = np.random.default_rng(seed)
    return ScanReport(
        concentration=concentration(coded, rng),
        other=None if coded_other is None else concentration(coded_other, rng),
        trend=trend(coded, coded_other, rng) if timed and _long_enough(logs) else None,
        values=value_lines(coded, coded_other, CONFIDENCE),
        difference=None if coded_other is None else reward_difference(coded, coded_other, CONFIDENCE),
        notes=_notes(logs, timed),
    )


def _long_enough(logs: list[ExposureLog]) -> bool:
    first = max(int(log.time_ms[0]) for log in logs)
    last = min(int(log.time_ms[-1]) for log in logs)
    if last <= first and len(logs) == 2:
        raise LogError("the logs have no time in common")
    return last > first and min(map(len, logs)) >= EPOCHS


def _notes(logs: list[ExposureLog], timed: bool) -> list[str]:
    notes = []
    if not all(log.has_users for log in logs):
        notes.append("no user column: rows are taken as independent, so intervals may be too narrow")
    if any(log.propensity is None for log in logs):
        notes.append("blind off policy: without propensities nothing is said of other policies' rewards")
    if not timed:
        notes.append("no time column: no trend")
    return notes
