"""Redis keys. The tag in braces is the hash slot: a partition's rows, checkpoint and fence lie together."""


def tag(partition: int) -> str:
    """The hash tag of a partition."""
    return f"{{p{partition}}}"


def row_prefix(view: str, partition: int) -> str:
    """What precedes the entity id in a row's key."""
    return f"{tag(partition)}r:{view}:"


def checkpoint_key(view: str, partition: int) -> str:
    """Key of a checkpoint."""
    return f"{tag(partition)}c:{view}"


def fence_key(view: str, partition: int) -> str:
    """Key of the fence: ``epoch sequence``."""
    return f"{tag(partition)}f:{view}"
