"""Records give the same cells as the simulator, in any order and in any pieces."""

from dataclasses import fields

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.feedback.cell_builder import CellBuilder, ExposureColumns
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.records import exposures_of, panel_of
from streams.loopbench.samplers import Softmax
from streams.loopbench.world import Scale, World

EPOCHS = 3


def _one_run(cells):
    """The cells of the first of several seeds, as production has them."""
    kept = {field.name: getattr(cells, field.name) for field in fields(cells)}
    return type(cells)(**{name: v[0] if isinstance(v, np.ndarray) else v for name, v in kept.items()})


def _pieces(columns, cut):
    for part in (slice(None, cut), slice(cut, None)):
        picked = {f.name: getattr(columns, f.name) for f in fields(columns)}
        indices = pa.array(np.arange(len(columns.epoch))[part])
        yield ExposureColumns(
            **{name: v.take(indices) if isinstance(v, pa.Array) else v[part] for name, v in picked.items()}
        )


@settings(max_examples=10)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 300), restarts=st.booleans())
def test_records_give_the_cells_that_the_simulator_gives(seed, cut, restarts):
    scale = Scale(subjects=2, items=12, events=300.0, settling=1)
    world = World([ClickCount(0.2), Quality()], Softmax(), scale, [seed])
    builder = CellBuilder(2, 2, first_epoch=0)
    for _ in range(EPOCHS):
        cells = _one_run(world.step())
        panel = panel_of(cells)
        for piece in _pieces(exposures_of(cells, np.random.default_rng(seed)), cut):
            builder.add(piece)
            if restarts:
                state, builder = builder.state(), CellBuilder(2, 2, first_epoch=0)
                builder.restore(state)
        built = builder.close("1", panel)
        slots = [builder.items.index(f"item-{number}") for number in range(scale.items)]
        for name in ("raw_score", "nudge", "exposures", "clicks", "contributions", "present"):
            np.testing.assert_array_equal(getattr(built, name)[..., slots], getattr(cells, name), name)
        assert built.fresh.all() == (cells.epoch == 0)
    assert sum(builder.dropped.values()) == 0
