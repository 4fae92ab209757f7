"""What tests ask about processes that they did not start themselves."""

import psutil


def ended(process: psutil.Process) -> bool:
    """Whether it runs no more; dead and not yet waited for counts as ended, too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # between the two questions
        return True
