"""How evidence for a loop grows while a world is played."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import e, log10

import numpy as np

from streams.feedback.evidence.betting import Float64
from streams.loopbench.campaign import board_of
from streams.loopbench.worlds.catalogue import WorldSpec


@dataclass(frozen=True, slots=True)
class EvidenceCourse:
    """W of the board in one world, epoch by epoch.

    Attributes
    ----------
    loop : whether there is one
    events : (epochs,) impressions of a seed until then
    log10_evidence : (epochs, seeds)
    log10_ticket, log10_page : what W is held against
    """

    world: str
    loop: bool
    events: Float64
    log10_evidence: Float64
    log10_ticket: float
    log10_page: float


def evidence_course(spec: WorldSpec, seeds: Sequence[int]) -> EvidenceCourse:
    """Play ``seeds`` of a world, and keep W after every epoch."""
    world = spec.world(seeds)
    board = board_of(spec, world.features)
    courses = []
    for _ in range(spec.epochs):
        board.update(world.step())
        courses.append(board.log_evidence())
    return EvidenceCourse(
        world=spec.name,
        loop=spec.loop,
        events=np.arange(1, spec.epochs + 1, dtype=np.float64) * (spec.events / spec.epochs),
        log10_evidence=np.stack(courses) * log10(e),
        log10_ticket=board.budget.log_ticket * log10(e),
        log10_page=board.budget.log_page * log10(e),
    )
