"""What a worker says of a message that it cannot read."""


class CorruptBatch(RuntimeError):  # noqa: N818  (a state of the log, named for what is found)
    """A message is not a batch. No process writes such, so nobody may guess: people have to decide.

    Parameters
    ----------
    error : what reading it raised
    setting : in which an operator decides to leave it out
    """

    def __init__(self, topic: str, partition: int, offset: int, error: Exception, setting: str) -> None:
        place = f"{topic}:{partition}:{offset}"
        super().__init__(
            f"message {place} is not a batch ({error}). Neither ingest nor the ranker writes such: find out "
            f"who did. To go on without it, and without what is in it, set {setting}={place}"
        )
