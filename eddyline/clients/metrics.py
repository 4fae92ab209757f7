"""Reads single metrics of our processes."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

_TIMEOUT_S = 10.0


def read_metric(url: str, name: str) -> float:
    """Sum over all labels of the samples ``name`` at ``url``; 0 where there is none.

    Raises
    ------
    httpx.HTTPError
        When the process does not answer.
    """
    text = httpx.get(url, timeout=_TIMEOUT_S, trust_env=False).raise_for_status().text
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    )
