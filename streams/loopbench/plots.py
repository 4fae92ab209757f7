"""The board as pictures."""

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib
import numpy as np

from streams.loopbench.evidence import EvidenceCourse
from streams.loopbench.power_map import MapPoint
from streams.loopbench.report import contenders
from streams.loopbench.results import MOST_FALSE_ALARMS, BoardRow

matplotlib.use("svg")

from matplotlib import pyplot as plt
from matplotlib.ticker import EngFormatter

# Same figures, same bytes: no date, no random ids.
matplotlib.rcParams["svg.hashsalt"] = "loopbench"
_METADATA = {"Date": None}


def draw(rows: Sequence[BoardRow], folder: Path) -> None:
    """Write false-alarms.svg and power.svg, as far as there are such worlds, and others.svg."""
    for name, loop in (("false-alarms", False), ("power", True)):
        chosen = [row for row in rows if row.loop is loop]
        if chosen:
            _draw_shares(chosen, folder / f"{name}.svg", loop)
    if contenders(rows):
        _draw_others(rows, folder / "others.svg")


def _draw_shares(rows: Sequence[BoardRow], path: Path, loop: bool) -> None:
    """Share of alarmed seeds with its interval, a line a world; what is promised as a red mark."""
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.28 * len(rows)), layout="constrained")
    for place, row in enumerate(reversed(rows)):
        axes.plot([row.power_low, row.power_high], [place, place], color="tab:blue", linewidth=4, alpha=0.4)
        axes.plot(row.power, place, "o", color="tab:blue")
        promised = row.target_power if loop else MOST_FALSE_ALARMS
        if promised is not None:
            axes.plot(promised, place, "|", color="tab:red", markersize=14)
    axes.set_yticks(range(len(rows)), [row.world for row in reversed(rows)])
    axes.set_xlabel("share of seeds with an alarm" + ("" if loop else ", although there is no loop"))
    axes.set_xlim(-0.0005 if not loop else -0.02, None if not loop else 1.02)
    figure.savefig(path, metadata=_METADATA)
    plt.close(figure)


def _draw_others(rows: Sequence[BoardRow], path: Path) -> None:
    """Share of alarmed seeds, ours and each contender's, worlds without a loop above those with one."""
    ordered, names = sorted(rows, key=lambda row: row.loop), contenders(rows)
    shares = np.full((len(ordered), 1 + len(names)), np.nan)
    for place, row in enumerate(ordered):
        found = {detector.detector: detector.power for detector in row.detectors}
        shares[place] = [found.get(name, np.nan) for name in (row.detector, *names)]
    figure, axes = plt.subplots(figsize=(7, 1.6 + 0.22 * len(ordered)), layout="constrained")
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="viridis", aspect="auto", interpolation="none")
    axes.set_xticks(range(1 + len(names)), ["ours", *names], rotation=45, ha="right")
    axes.set_yticks(range(len(ordered)), [row.world for row in ordered])
    axes.axhline(sum(not row.loop for row in ordered) - 0.5, color="tab:red")
    figure.colorbar(image, label="share of seeds with an alarm; above the line there is no loop")
    figure.savefig(path, metadata=_METADATA)
    plt.close(figure)


def draw_map(points: Sequence[MapPoint], path: Path) -> None:
    """Power over cells and β·δ/noise, with the line of the rule of thumb, cells = 25 / ratio²."""
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    cells, ratios = [point.cells for point in points], [point.ratio for point in points]
    shades = axes.scatter(cells, ratios, c=[point.power for point in points], cmap="viridis", vmin=0, vmax=1)
    ends = min(cells), max(cells)
    axes.plot(ends, [5 / end**0.5 for end in ends], color="tab:red", label="25 / ratio² cells")
    axes.set(xscale="log", yscale="log", xlabel="cells: items times epochs", ylabel="β·δ / score noise")
    figure.colorbar(shades, label="power of D1-R at W ≥ 100")
    axes.legend()
    figure.savefig(path, metadata=_METADATA)
    plt.close(figure)


def draw_evidence(courses: Sequence[EvidenceCourse], path: Path) -> None:
    """W over events, a line a seed: worlds without a loop in grey, each other world in its own colour."""
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    colours = cycle(matplotlib.color_sequences["tab10"])
    for course in courses:
        colour = next(colours) if course.loop else "tab:gray"
        label = f"{course.world}: {'a loop' if course.loop else 'no loop'}"
        for number, evidence in enumerate(course.log10_evidence.T):
            axes.plot(course.events, evidence, color=colour, linewidth=1, label="" if number else label)
    log10_ticket, log10_page = courses[0].log10_ticket, courses[0].log10_page
    for height, name in ((log10_ticket, "ticket"), (log10_page, "page")):
        axes.axhline(height, color="tab:red", linewidth=0.8, linestyle="dashed")
        axes.annotate(name, (1, height), xycoords=("axes fraction", "data"), color="tab:red", va="center")
    axes.set_ylim(-3, 4 * log10_page)
    axes.set_xlabel("events")
    axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
    axes.set_ylabel("evidence for a loop, log10 W")
    axes.legend(loc="center right", frameon=False)
    figure.savefig(path, metadata=_METADATA if path.suffix == ".svg" else None)
    plt.close(figure)
