"""What the processes of a stack measure of loops, and how it is read."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 5.0
PREFIXES = ("eddyline_loop_", "eddyline_panel_", "eddyline_ranker_experiment_")


@dataclass(frozen=True, slots=True)
class Measured:
    """One sample of a metric."""

    process: str
    name: str
    labels: dict[str, str]
    value: float


def measured(processes: Mapping[str, str]) -> list[Measured]:
    """What ``processes`` (name -> address of its metrics) say of loops and experiments.

    A process that does not answer says nothing.
    """
    return samples_of(answers(processes))


def answers(processes: Mapping[str, str]) -> dict[str, str]:
    """Name -> its page of metrics, of those that answer."""
    texts: dict[str, str] = {}
    for process, url in processes.items():
        try:
            texts[process] = httpx.get(url, timeout=TIMEOUT_S, trust_env=False).raise_for_status().text
        except httpx.HTTPError:
            continue
    return texts


def samples_of(texts: Mapping[str, str]) -> list[Measured]:
    """What pages of metrics say of loops and experiments."""
    return [
        Measured(process, sample.name, dict(sample.labels), sample.value)
        for process, text in texts.items()
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(PREFIXES)
    ]


def labelled(samples: list[Measured], name: str, label: str) -> dict[str, float]:
    """Label's value -> value of the metric ``name``; of several processes the largest."""
    values: dict[str, float] = {}
    for sample in samples:
        if sample.name == name and label in sample.labels:
            key = sample.labels[label]
            values[key] = max(sample.value, values.get(key, sample.value))
    return values


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one detector says now.

    Attributes
    ----------
    subject : what it looks at
    evidence_log10 : the most that it ever had, as a power of ten; None: it is certain, or has none
    reason : why it is blind; "" where it is not
    """

    detector: str
    subject: str
    verdict: str
    evidence_log10: float | None
    reason: str


def judgements(samples: list[Measured]) -> list[Judgement]:
    """Of all detectors that show themselves in ``samples``."""
    present = [each for each in samples if each.name == "eddyline_loop_verdict" and each.value == 1.0]
    evidence = {_who(each): each.value for each in samples if each.name == "eddyline_loop_evidence_log10"}
    reasons = {
        _who(each): each.labels["reason"]
        for each in samples
        if each.name == "eddyline_loop_blind_reason" and each.value == 1.0
    }
    return [
        Judgement(*_who(each), each.labels["verdict"], evidence.get(_who(each)), reasons.get(_who(each), ""))
        for each in present
    ]


def _who(sample: Measured) -> tuple[str, str]:
    return sample.labels["detector"], sample.labels["subject"]
