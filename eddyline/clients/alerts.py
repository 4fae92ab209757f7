"""What Alertmanager has to say."""

from dataclasses import dataclass

import httpx

_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that fires.

    Attributes
    ----------
    severity : ticket or page
    runbook : path in the repository
    """

    name: str
    severity: str
    summary: str
    runbook: str


def firing(alertmanager: str) -> list[Alert]:
    """The alerts that fire now at ``alertmanager`` (URL).

    Raises
    ------
    httpx.HTTPError
        It does not answer.
    """
    answer = httpx.get(
        f"{alertmanager}/api/v2/alerts", params={"active": "true"}, timeout=_TIMEOUT_S, trust_env=False
    )
    return [
        Alert(
            alert["labels"]["alertname"],
            alert["labels"].get("severity", ""),
            alert["annotations"].get("summary", ""),
            alert["annotations"].get("runbook", ""),
        )
        for alert in answer.raise_for_status().json()
    ]
