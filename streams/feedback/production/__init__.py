"""The detectors of scores as they run over topics: exact under replay, whatever dies."""
