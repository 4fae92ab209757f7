"""A loop for each detector, all in the same logs, where none spoils the draws of another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from feature_store.deploy_calendar import DeployCalendar
from tests.unit.streams.feedback.deployed_log import DeployedLog
from tests.unit.streams.feedback.exposure_log import messages
from tests.unit.streams.feedback.production.arms_log import ArmsLog
from tests.unit.streams.feedback.production.cross_log import MODELS, CrossWorld
from tests.unit.streams.feedback.production.loop_log import LoopWorld
from tests.unit.streams.feedback.slotted_log import SlottedWorld

FOLLOWED = ("timeline_ranker", *MODELS)
CALENDAR = DeployCalendar(8, 1_000)
SLOTTED = SlottedWorld(effect=0.4, underrated=1000.0, requests=1000, epochs=18)
_PERIODS = 24


@dataclass(frozen=True)
class PlantedWorlds:
    """Loops that are over when ``end_epoch`` begins.

    Scores are told apart by model, users of the arms by their draw. What explores is not: D3 and D5 take the
    same rows, and deploys that only some of them log would be no experiment. So at first requests only
    explore, and say what they predict; after that they follow drawn deploys, and predict nothing.
    """

    end_epoch: int
    epoch_ms: int = 10_000
    partitions: int = 2

    def messages(self) -> Iterator[tuple[str, int, int, bytes]]:
        """(topic, partition, stamp ms, payload), each log in the order of its stamps."""
        same = {"epoch_ms": self.epoch_ms, "partitions": self.partitions}
        deploys = self._deploys()
        worlds = (
            LoopWorld(gain=0.5, epochs=16, first_epoch=self.end_epoch - 16, **same),
            CrossWorld(answered=0.3, epochs=16, first_epoch=self.end_epoch - 16, **same),
            replace(SLOTTED, first_epoch=deploys.first_epoch - SLOTTED.epochs, **same),
            ArmsLog(growth=0.2, out=300, epochs=50, first_epoch=self.end_epoch - 50, **same),
        )
        each = [message for world in worlds for message in world.messages()]
        yield from sorted([*each, *self._deployed(deploys)], key=lambda message: message[2])

    def _deploys(self) -> DeployedLog:
        first_period = CALENDAR.period(self.end_epoch * self.epoch_ms) - _PERIODS
        return DeployedLog(0.4, calendar=CALENDAR, epoch_ms=self.epoch_ms, first_period=first_period)

    def _deployed(self, log: DeployedLog) -> Iterator[tuple[str, int, int, bytes]]:
        for epoch, rows in log.batches(_PERIODS):
            if epoch < self.end_epoch:
                yield from messages(epoch, self.epoch_ms, rows, self.partitions)
