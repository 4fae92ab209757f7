"""Names and labels of all series that our processes export, read from where the code declares them."""

import ast
from collections.abc import Iterator
from functools import cache

from tests.unit.deploy.names import PACKAGES, ROOT

KINDS = {
    "Counter": ("_total",),
    "Gauge": ("",),
    "Histogram": ("_bucket", "_sum", "_count"),
    "GaugeMetricFamily": ("",),
    "CounterMetricFamily": ("_total",),
}
"""Constructors of prometheus-client, and what their series are named after."""


@cache
def exported() -> dict[str, frozenset[str]]:
    """Labels of each series that a process of ours exports, by the name of the series."""
    found: dict[str, frozenset[str]] = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package.__name__).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    found.update(_series(node))
    return found


def _series(call: ast.Call) -> Iterator[tuple[str, frozenset[str]]]:
    constructor = call.func.id  # type: ignore[attr-defined]
    words = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    if constructor == "StageSeconds":
        yield f"eddyline_{words[0]}_stage_seconds_total", frozenset({"stage"})
    elif constructor in KINDS and words and str(words[0]).startswith("eddyline_"):
        own = {"le"} if constructor == "Histogram" else set()
        for ending in KINDS[constructor]:
            yield words[0].removesuffix(ending) + ending, frozenset(_labels(call) | own)


def _labels(call: ast.Call) -> set[str]:
    """The literal list of label names among the arguments."""
    given = [
        *call.args,
        *(keyword.value for keyword in call.keywords if keyword.arg in {"labels", "labelnames"}),
    ]
    lists = [argument for argument in given if isinstance(argument, ast.List | ast.Tuple)]
    return {
        str(element.value) for each in lists for element in each.elts if isinstance(element, ast.Constant)
    }
