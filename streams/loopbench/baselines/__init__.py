"""What others would watch: detectors that ship elsewhere, or are published, over the same cells.

Passive ones (Gini trend, PSI, ADWIN, Page-Hinkley, KSWIN) see that something changes, never why. The two
that use the randomisation (regression, checkerboard) are looked at in every epoch, as people do.
"""

from collections.abc import Sequence

from streams.loopbench.baselines.checkerboard import Checkerboard
from streams.loopbench.baselines.gini_trend import GiniTrend
from streams.loopbench.baselines.population_stability import PopulationStability
from streams.loopbench.baselines.regression import NoiseRegression
from streams.loopbench.baselines.river_drift import adwin, kswin, page_hinkley
from streams.loopbench.campaign import Contender
from streams.loopbench.worlds.catalogue import WorldSpec

__all__ = ["all_baselines"]


def all_baselines(spec: WorldSpec) -> Sequence[Contender]:
    """Fresh ones for a world; none needs to know which."""
    return (
        GiniTrend(),
        PopulationStability(),
        adwin(),
        page_hinkley(),
        kswin(),
        NoiseRegression(),
        Checkerboard(),
    )
