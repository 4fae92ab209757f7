"""What `eddyline loops status` reads out of the detectors' metrics."""

from eddyline.clients.loops import Judgement, Measured, judgements


def sample(name: str, value: float, **labels: str) -> Measured:
    return Measured("detectors-0", name, labels, value)


def test_each_detector_says_what_it_sees_or_why_it_is_blind() -> None:
    board, other = {"subject": "ranker", "detector": "board"}, {"subject": "exposures", "detector": "D3"}
    samples = [
        sample("eddyline_loop_verdict", 1.0, experiment="nudges", verdict="quiet", **board),
        sample("eddyline_loop_verdict", 0.0, experiment="nudges", verdict="blind", **board),
        sample("eddyline_loop_evidence_log10", 1.5, **board),
        sample("eddyline_loop_verdict", 1.0, experiment="twin", verdict="blind", **other),
        sample("eddyline_loop_blind_reason", 1.0, reason="no twin", **other),
    ]
    assert judgements(samples) == [
        Judgement("board", "ranker", "quiet", 1.5, ""),
        Judgement("D3", "exposures", "blind", None, "no twin"),
    ]
