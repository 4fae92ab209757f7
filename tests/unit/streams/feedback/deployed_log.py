"""Requests that explore while models are deployed at drawn moments, as exposures of each epoch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from feature_store.deploy_calendar import DeployCalendar
from ranker.experiments.deploys import DeployTimes
from tests.unit.streams.feedback.exposure_log import exposures

CALENDAR = DeployCalendar(8, 10_000)
EPOCH_MS = 30_000


@dataclass(frozen=True)
class DeployedLog:
    """What chance shows is clicked more after each deploy, where there is an echo.

    Parameters
    ----------
    echo : by how much, added to the click rate; it is gone in the next period
    due : whether a version is due in a period, counted from 0
    drawn : whether requests log their period's draw
    moment_ms : when the model really changes in a period; None: as drawn
    rows : of an epoch, of which chance chose every other
    rate, season : of clicks, and how it goes up and down over seven steps
    """

    echo: float = 0.0
    due: Callable[[int], bool] = lambda _period: True
    drawn: bool = True
    moment_ms: Callable[[int], int] | None = None
    calendar: DeployCalendar = CALENDAR
    epoch_ms: int = EPOCH_MS
    rows: int = 360
    share: float = 0.5
    rate: float = 0.3
    season: float = 0.1
    first_period: int = 5_000
    seed: int = 1

    @property
    def times(self) -> DeployTimes:
        """Its draws."""
        return DeployTimes(b"salt", self.calendar)

    @property
    def first_epoch(self) -> int:
        """In which the log begins."""
        return self.calendar.begin_ms(self.first_period) // self.epoch_ms

    def batches(self, periods: int) -> Iterator[tuple[int, pa.RecordBatch]]:
        """(epoch, exposures) of so many periods, and of the epoch after them."""
        end_ms = self.calendar.begin_ms(self.first_period + periods)
        for epoch in range(self.first_epoch, end_ms // self.epoch_ms + 1):
            yield epoch, self.batch(epoch)

    def batch(self, epoch: int) -> pa.RecordBatch:
        """Exposures of one epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        served = np.sort(rng.integers(epoch * self.epoch_ms, (epoch + 1) * self.epoch_ms, self.rows))
        period = np.maximum(served // self.calendar.period_ms, self.first_period)
        moment_ms = self.moment_ms or self.times.moment_ms
        after = served >= np.array([moment_ms(number) for number in period.tolist()])
        due = np.array([self.due(number - self.first_period) for number in period.tolist()])
        by_chance = np.arange(len(served)) % 2 == 0
        rate = (
            self.rate
            + self.season * np.sin(2 * np.pi * served / (7 * self.calendar.step_ms))
            + self.echo * (after & due & by_chance)
        )
        clicked = rng.random(len(served)) < rate
        version = np.cumsum([self.due(number) for number in range(int(period.max()) - self.first_period + 1)])
        newest = version[period - self.first_period] - (due & ~after)
        return exposures(
            len(served),
            request_id=[f"{epoch}/{k}" for k in range(len(served))],
            item_id=[f"i{k % 7}" for k in range(len(served))],
            position=np.zeros(len(served), np.int32),
            assignments=[
                self._logged(*each) for each in zip(period.tolist(), due.tolist(), by_chance, strict=True)
            ],
            outcomes=[[("click", 1.0)] if hit else [] for hit in clicked],
            model_version=[f"timeline_ranker:{10 + number}" for number in newest.tolist()],
            served_time_ms=served,
        )

    def _logged(self, period: int, due: bool, by_chance: bool) -> list[dict[str, object]]:
        slot, chance = ("slot_0", self.share) if by_chance else ("none", 1 - self.share)
        logged = [{"experiment": "exploration", "variant": slot, "propensity": chance}]
        if self.drawn:
            deploy = self.times.assignment(period, due=due)
            logged.append(
                {"experiment": "deploys", "variant": deploy.variant, "propensity": deploy.propensity}
            )
        return logged
