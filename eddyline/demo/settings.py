"""Settings of a demo's stack: strong nudges and short epochs, as there are minutes, not days."""

from collections.abc import Mapping

EPOCH_S, DELTA = 3, 0.2

SETTINGS: Mapping[str, str] = {
    "EDDYLINE_NUDGE_DELTA": str(DELTA),
    "EDDYLINE_NUDGE_EPOCH_S": str(EPOCH_S),
    "EDDYLINE_NUDGE_SALT": "the demo's, which is no secret",
    "EDDYLINE_EXPERIMENTS_COST_MAX": "1",
    "EDDYLINE_PANEL_USERS": "1",
    "EDDYLINE_PANEL_ITEMS": "100",
    "EDDYLINE_PANEL_LEAD_S": "0.5",
    "EDDYLINE_JOIN_WINDOW_S": "1",
    "EDDYLINE_JOIN_IDLE_S": "1",
    "EDDYLINE_DETECT_IDLE_S": "1",
    "EDDYLINE_LINEAGE_EVERY_S": "3",
    "EDDYLINE_PARITY_WORKERS": "0",
    "EDDYLINE_PROMETHEUS_SCRAPE_INTERVAL_S": "2",
    "EDDYLINE_RANK_DEADLINE_MS": "3000",
    "EDDYLINE_RANK_FEATURES_TIMEOUT_MS": "1000",
    "EDDYLINE_RANK_MODEL_TIMEOUT_MS": "1000",
}
"""Thresholds of the detectors stay as they are. Rankings may take long, as everything shares the processors:
what counters answer in the model's stead is no evidence of what the model does."""
