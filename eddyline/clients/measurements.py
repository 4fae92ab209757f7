"""What a deployment measures of loops and experiments, and why that is not all, where it is not."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import msgspec

from eddyline.clients.loops import PREFIXES, TIMEOUT_S, Measured, answers, samples_of
from eddyline.clients.metrics_settings import MetricsSettings
from eddyline.stack.state import read_state
from feature_store.settings import Settings

NOT_KNOWN = (
    "what detectors and experiments measure is not known here: set EDDYLINE_PROMETHEUS_URL to the Prometheus "
    "that reads their metrics"
)
NO_PROMETHEUS = "EDDYLINE_PROMETHEUS_URL does not answer as Prometheus does"
_QUERY = f'{{__name__=~"({"|".join(PREFIXES)}).+"}}'


@dataclass(frozen=True, slots=True)
class Measurements:
    """Samples that are there.

    Attributes
    ----------
    missing : why they are not all, in words; "" they are
    """

    samples: list[Measured]
    missing: str


class _Series(msgspec.Struct):
    metric: dict[str, str]
    value: tuple[float, str]


class _Result(msgspec.Struct):
    result: list[_Series]


class _Answer(msgspec.Struct):
    """As https://prometheus.io/docs/prometheus/latest/querying/api/ says."""

    data: _Result


def measurements(settings: Settings) -> Measurements:
    """Of the stack that runs in the state folder; elsewhere what Prometheus has."""
    state = read_state(settings.home.resolve())
    if state is not None and state.supervised:
        return _of_processes(state.addresses.metrics)
    url = MetricsSettings().prometheus_url
    if url is None:
        return Measurements([], NOT_KNOWN)
    try:
        return Measurements(_of_prometheus(url), "")
    except (httpx.HTTPError, httpx.InvalidURL, msgspec.DecodeError) as error:
        return Measurements([], f"{NO_PROMETHEUS} ({type(error).__name__})")


def _of_processes(pages: Mapping[str, str]) -> Measurements:
    texts = answers(pages)
    silent = [name for name in pages if name not in texts]
    missing = f"without what these measure, which do not answer: {', '.join(silent)}" if silent else ""
    return Measurements(samples_of(texts), missing)


def _of_prometheus(url: str) -> list[Measured]:
    """What it read last."""
    asked = f"{url.rstrip('/')}/api/v1/query"
    answer = httpx.get(asked, params={"query": _QUERY}, timeout=TIMEOUT_S, trust_env=False)
    read = msgspec.json.decode(answer.raise_for_status().content, type=_Answer)
    return [_sample(series) for series in read.data.result]


def _sample(series: _Series) -> Measured:
    labels = series.metric
    return Measured(labels.get("process", ""), labels["__name__"], labels, float(series.value[1]))
