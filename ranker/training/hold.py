"""Nothing is learned or promoted while a feedback loop is open: a model would learn what the loop made."""

from collections.abc import Callable

from feature_store.findings_log import read_findings
from feature_store.settings import Settings

Held = Callable[[], str | None]
"""Why training and promotion wait; None: they do not."""


def never_held() -> None:
    """Nobody asks for a hold."""


def loop_hold(settings: Settings) -> Held:
    """Held while a finding `loop_detected` is open; the question raises `confluent_kafka.KafkaException`."""

    def held() -> str | None:
        holding = [state.finding for state in read_findings(settings).values() if state.holds]
        if not holding:
            return None
        named = ", ".join(f"{finding.finding_id} ({finding.subject})" for finding in holding)
        return f"held by the open finding {named}: see `eddyline loops explain`, close it when it is mended"

    return held
