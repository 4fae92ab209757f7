"""Settings of rankers under test: the machine may be slow and busy, and no answer is degraded by that."""

PATIENT_RANKER = {
    "EDDYLINE_RANK_DEADLINE_MS": "5000",
    "EDDYLINE_RANK_MODEL_TIMEOUT_MS": "2000",
    "EDDYLINE_RANK_FEATURES_TIMEOUT_MS": "2000",
}
