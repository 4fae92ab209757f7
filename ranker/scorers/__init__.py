"""Score candidates: the model in Triton, the one that was good before, the counters."""
