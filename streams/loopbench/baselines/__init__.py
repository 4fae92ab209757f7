"""What others would watch: detectors that ship elsewhere, or are published, in the same worlds.

Passive ones (Gini trend, PSI, ADWIN, Page-Hinkley, KSWIN) see that something changes, never why. The two
that use the randomisation (regression, checkerboard) are looked at in every epoch, as people do.
"""

from collections.abc import Sequence

from streams.loopbench.alarms import Contender
from streams.loopbench.baselines.checkerboard import Checkerboard
from streams.loopbench.baselines.gini_trend import GiniTrend
from streams.loopbench.baselines.plotted import Plot, Plotted, gini_of
from streams.loopbench.baselines.population_stability import PopulationStability
from streams.loopbench.baselines.regression import NoiseRegression
from streams.loopbench.baselines.river_drift import adwin, kswin, page_hinkley

__all__ = ["all_baselines", "of_concentration", "of_number"]


def all_baselines() -> Sequence[Contender]:
    """Fresh ones for a world in which items are nudged; none needs to know which."""
    return (*of_concentration(gini_of), PopulationStability(), NoiseRegression(), Checkerboard())


def of_concentration(plot: Plot) -> Sequence[Contender]:
    """Those that see no more than how unequal exposure is: ``plot`` is its Gini coefficient."""
    return (Plotted(GiniTrend(), plot), *of_number(plot))


def of_number(plot: Plot) -> Sequence[Contender]:
    """Those to which any number will do."""
    return tuple(Plotted(monitor, plot) for monitor in (adwin(), page_hinkley(), kswin()))
