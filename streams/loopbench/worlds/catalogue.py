"""The worlds by name: nine without a loop, twelve kinds with one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from streams.loopbench.parts.ab_change import AbChange
from streams.loopbench.parts.base import Part
from streams.loopbench.parts.churn import Churn
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.click_rate import ClickRate
from streams.loopbench.parts.outage import Outage
from streams.loopbench.parts.overrides import LearnedOverrides, Overrides
from streams.loopbench.parts.position_bias import Adherence, PositionBias
from streams.loopbench.parts.quality import Quality
from streams.loopbench.parts.score_noise import ScoreNoise
from streams.loopbench.parts.season import Season
from streams.loopbench.parts.shock import CommonShock
from streams.loopbench.parts.taste import Taste
from streams.loopbench.parts.trend import Trend
from streams.loopbench.parts.viral import Viral
from streams.loopbench.samplers import Sampler, Softmax, TopK
from streams.loopbench.world import Scale, World

Build = Callable[[], Sequence[Part]]


@dataclass(frozen=True, slots=True)
class WorldSpec:
    """One world, and what is promised of it.

    Attributes
    ----------
    name : on the board
    build : its parts
    loop : whether there is one
    sampler : how scores become exposure
    scale : how large it is
    epochs : that are played
    subjects : names of the k models or slices
    slices : whether subjects are slices of one model, between which no edges are looked for
    allowed_gain : β that the lineage graph allows, by feature
    target_power : promised share of the seeds in which the loop is detected, or None
    found_in : feature that closes the loop, "" where none is to be named
    found_at_lag : epochs after which it answers first, 0 where none is to be named
    answers_after : epochs after which the answer comes that is its β
    gain_lags : epochs over which the long-run gain is estimated; 0: it is not
    found_among : subjects that are part of it
    edges : (to, from) pairs of subjects
    """

    name: str
    build: Build
    loop: bool = True
    sampler: Sampler = field(default_factory=Softmax)
    scale: Scale = field(default_factory=Scale)
    epochs: int = 40
    subjects: tuple[str, ...] = ("model",)
    slices: bool = False
    allowed_gain: Mapping[str, float] = field(default_factory=dict)
    target_power: float | None = None
    found_in: str = ""
    found_at_lag: int = 0
    answers_after: int = 1
    gain_lags: int = 0
    found_among: tuple[int, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()

    def world(self, seeds: Sequence[int]) -> World:
        """Seeds of this world side by side, settled."""
        return World(self.build(), self.sampler, self.scale, seeds)

    @property
    def path(self) -> tuple[int, int]:
        """(to, from) subjects of the path that the world is about."""
        if self.edges and not self.found_in:
            return self.edges[0]
        return (self.found_among or (0,))[0], (self.found_among or (0,))[0]

    @property
    def events(self) -> int:
        """Impressions of one seed, over all subjects and epochs, in expectation."""
        return round(self.epochs * self.scale.events * self.scale.subjects)


def _drifting() -> list[Part]:
    """Quality that walks and comes back, as it does wherever people are."""
    return [Quality(walk=0.1, reversion=0.03), ScoreNoise()]


def _half_logged() -> list[Part]:
    """The same, but the log of contributions does not show the noise."""
    return [Quality(walk=0.1, reversion=0.03), ScoreNoise(unlogged=True)]


def _steady() -> list[Part]:
    return [Quality(), ScoreNoise()]


def _with(parts: Build, *more: Callable[[], Part]) -> Build:
    return lambda: [*(make() for make in more), *parts()]


_TWO = Scale(subjects=2)
_THREE = Scale(subjects=3)
_SLICES = Scale(subjects=20, items=200, events=1250.0)
_SLICE_NAMES = tuple(f"slice_{number:02d}" for number in range(20))

LOOP_FREE = (
    WorldSpec("stationary", _steady, loop=False),
    WorldSpec("season", _with(_drifting, Season), loop=False),
    WorldSpec("exogenous_trend", _with(_drifting, Trend), loop=False),
    WorldSpec("viral_shock", _with(_drifting, Viral), loop=False),
    WorldSpec("catalogue_churn", _with(_drifting, Churn), loop=False),
    WorldSpec("outage_and_late_events", _with(_drifting, Outage), loop=False),
    WorldSpec(
        "common_shock", _with(_drifting, CommonShock), loop=False, scale=_TWO, subjects=("home", "search")
    ),
    WorldSpec("ab_change", _with(_drifting, AbChange), loop=False, sampler=TopK()),
    WorldSpec("manual_overrides", _with(_drifting, Overrides), loop=False, sampler=TopK()),
)

LOOPED = (
    WorldSpec(
        "click_count",
        _with(_drifting, lambda: ClickCount(0.052)),
        sampler=TopK(),
        scale=Scale(delta=0.03),
        target_power=0.95,
        found_in="click_count",
        found_at_lag=1,
    ),
    WorldSpec(
        "click_count_softmax",
        _with(_drifting, lambda: ClickCount(0.033)),
        scale=Scale(delta=0.03),
        epochs=120,
        target_power=0.95,
        found_in="click_count",
        found_at_lag=1,
    ),
    WorldSpec(
        "click_count_above_budget",
        _with(_drifting, lambda: ClickCount(0.062)),
        sampler=TopK(),
        scale=Scale(delta=0.045),
        allowed_gain={"click_count": 0.01},
        target_power=0.95,
        found_in="click_count",
        found_at_lag=1,
    ),
    WorldSpec(
        "unlogged_path",
        _with(_half_logged, lambda: ClickCount(0.075, unlogged=True)),
        target_power=0.95,
        found_at_lag=1,
    ),
    WorldSpec(
        "unlogged_path_small_nudge",
        _with(_half_logged, lambda: ClickCount(0.075, unlogged=True)),
        scale=Scale(delta=0.1),
        found_at_lag=1,
    ),
    WorldSpec(
        "selection",
        _with(_drifting, lambda: ClickRate(0.2, prior=0.02, strength=100.0)),
        sampler=TopK(),
        found_in="click_rate",
    ),
    WorldSpec(
        "position_bias",
        _with(_drifting, PositionBias, lambda: ClickRate(0.3)),
        found_in="click_rate",
        found_at_lag=1,
    ),
    WorldSpec(
        "taste_reinforcement",
        _with(_drifting, Taste, lambda: ClickRate(0.3)),
        found_in="click_rate",
        answers_after=2,
    ),
    WorldSpec(
        "fatigue",
        _with(_drifting, lambda: Taste(-0.3), lambda: ClickRate(0.3)),
        found_in="click_rate",
        answers_after=2,
    ),
    WorldSpec(
        "cross_model",
        _with(_drifting, lambda: ClickCount(0.067, reads=((0, 1), (1, 0)))),
        scale=_TWO,
        subjects=("home", "search"),
        target_power=0.98,
        edges=((0, 1), (1, 0)),
    ),
    WorldSpec(
        "cycle_of_three",
        _with(_drifting, lambda: ClickCount(0.067, reads=((0, 0, 1), (1, 0, 0), (0, 1, 0)))),
        scale=_THREE,
        subjects=("home", "search", "mail"),
        target_power=0.98,
        edges=((0, 2), (1, 0), (2, 1)),
    ),
    WorldSpec(
        "lag_1",
        _with(_drifting, lambda: ClickCount(0.07)),
        target_power=0.95,
        found_in="click_count",
        found_at_lag=1,
        gain_lags=10,
    ),
    WorldSpec(
        "lag_3",
        _with(_drifting, lambda: ClickCount(0.07, delay=3)),
        found_in="click_count",
        found_at_lag=3,
        answers_after=3,
    ),
    WorldSpec(
        "lag_10",
        _with(_drifting, lambda: ClickCount(0.07, delay=10)),
        found_in="click_count",
        found_at_lag=10,
        answers_after=10,
    ),
    WorldSpec(
        "slow_feature",
        _with(_drifting, lambda: ClickCount(0.07, memory=0.9)),
        epochs=120,
        found_in="click_count",
        found_at_lag=1,
        gain_lags=20,
    ),
    WorldSpec(
        "five_percent_of_users",
        _with(_drifting, lambda: ClickCount((0.1,) + (0.0,) * 19)),
        scale=_SLICES,
        subjects=_SLICE_NAMES,
        slices=True,
        found_in="click_count",
        found_among=(0,),
    ),
    WorldSpec(
        "override_into_training",
        _with(_drifting, LearnedOverrides),
        found_in="editorial_prior",
    ),
    WorldSpec(
        "ab_arms_share_training",
        _with(_drifting, lambda: ClickCount(0.1, reads=((0.5, 0.5), (0.5, 0.5)))),
        scale=_TWO,
        subjects=("arm_a", "arm_b"),
        found_in="click_count",
        edges=((0, 1), (1, 0)),
    ),
    WorldSpec(
        "usage_and_adherence",
        _with(_drifting, Adherence, lambda: ClickRate(0.5, retrained_every=2)),
        found_in="click_rate",
    ),
    WorldSpec(
        "retraining",
        _with(_drifting, PositionBias, lambda: ClickRate(0.5, retrained_every=5)),
        found_in="click_rate",
    ),
)

WORLDS: Mapping[str, WorldSpec] = {spec.name: spec for spec in (*LOOP_FREE, *LOOPED)}
