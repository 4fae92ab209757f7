"""Requests that run beside a test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ranker.triton.base import InferenceClient, InferenceError
from tests.laws.inference_laws import infer, tensors


class Answered:
    """What became of requests that run beside a test."""

    def __init__(self) -> None:
        self.count = 0
        self.errors: list[InferenceError] = []


@contextmanager
def requests_to(client: InferenceClient, model: str) -> Iterator[Answered]:
    """One request after another to version 1 of ``model`` while the block runs."""
    answered, stop = Answered(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            try:
                infer(client, model, *tensors(20, 3))
                answered.count += 1
            except InferenceError as error:
                answered.errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answered
    finally:
        stop.set()
        thread.join()
