"""How fast the ranker learns: exposures a second, against a plain PyTorch loop over the same Parquet file.

Both train the same net on the same rows with the same loss, one epoch, whole requests at a time: ours
gathers a batch's columns at once, the plain loop has a `Dataset` of requests, a `DataLoader` that
collates them, and one optimizer step per batch. They take turns, and the figures are medians: one turn alone
varies by a third on a shared machine.
"""

import statistics
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.report import Figure
from ranker.registry.signature import default_signature
from ranker.training.fit import Parameters, fit, net_of
from ranker.training.loss import loss
from ranker.training.rows import rows_of
from ranker.training.synthetic import synthetic_exposures
from triton_models.timeline_ranker import TimelineRanker

REQUESTS, PER_REQUEST = 1_500, 24
WARM_UP_REQUESTS = 50
TURNS = 7
TARGET_RATIO = 5.0
PARAMETERS = Parameters(epochs=1)
MISSED = (
    "Since the net reads recent items, a training begins with vectors of items and with what candidates have"
    " in common with the recents, once for all passes: .15 s of 1.0 s, where one pass is measured."
)

Example = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def measure() -> list[Figure]:
    """Training throughput, from the Parquet file to the end of the epoch."""
    with tempfile.TemporaryDirectory() as folder:
        _ours_s(_exposures(Path(folder), WARM_UP_REQUESTS))  # torch imports much at its first step
        path = _exposures(Path(folder), REQUESTS)
        turns = [(_ours_s(path), _plain_s(path)) for _ in range(TURNS)]
    ours, plain = map(statistics.median, zip(*turns, strict=True))
    n = REQUESTS * PER_REQUEST
    return [
        Figure(
            "training_throughput",
            n / ours,
            "exposures/s",
            baseline="PyTorch DataLoader loop",
            baseline_value=n / plain,
            target=TARGET_RATIO,
            bound_ratio=True,
            note=MISSED,
        )
    ]


def _exposures(folder: Path, requests: int) -> Path:
    path = folder / f"{requests}.parquet"
    pq.write_table(synthetic_exposures(default_signature(), requests=requests, per_request=PER_REQUEST), path)
    return path


def _ours_s(path: Path) -> float:
    start = time.perf_counter()
    signature = default_signature()
    rows = rows_of(pq.read_table(path), signature)
    fit(rows, None, len(signature.user), PARAMETERS, lambda *_: None)
    return time.perf_counter() - start


class _Requests(Dataset[list[Example]]):
    """One request an item, an exposure a row, as a first version of a trainer has it."""

    def __init__(self, path: Path) -> None:
        frame = pq.read_table(path).to_pylist()
        requests: dict[str, list[dict[str, object]]] = {}
        for exposure in frame:
            requests.setdefault(exposure["request_id"], []).append(exposure)
        self._requests = list(requests.values())

    def __len__(self) -> int:
        return len(self._requests)

    def __getitem__(self, index: int) -> list[Example]:
        return [
            (
                torch.tensor(exposure["features"]),
                torch.tensor(exposure["ids"]),
                torch.tensor([float("click" in dict(exposure["outcomes"]))]),  # type: ignore[call-overload]
            )
            for exposure in self._requests[index]
        ]


def _collate(requests: list[list[Example]]) -> tuple[torch.Tensor, ...]:
    examples = [example for request in requests for example in request]
    request = torch.tensor([number for number, each in enumerate(requests) for _ in each])
    return (*(torch.stack(column) for column in zip(*examples, strict=True)), request)


def _plain_s(path: Path) -> float:
    net = _fresh_net(path)
    optimizer = torch.optim.AdamW(net.parameters(), lr=PARAMETERS.learning_rate)  # imports torch's compiler
    start = time.perf_counter()
    loader = DataLoader(
        _Requests(path), batch_size=PARAMETERS.batch_of(REQUESTS), shuffle=True, collate_fn=_collate
    )
    user = len(default_signature().user)
    for dense, ids, labels, request in loader:
        optimizer.zero_grad()
        logits = net.logits(dense[:, :user], dense[:, user:], ids)
        each = torch.ones(len(labels))
        loss(logits.mT, labels.T, request, each, PARAMETERS.listwise).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return time.perf_counter() - start


def _fresh_net(path: Path) -> TimelineRanker:
    signature = default_signature()
    return net_of(rows_of(pq.read_table(path), signature), len(signature.user), PARAMETERS)
