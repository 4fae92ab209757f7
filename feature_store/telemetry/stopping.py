"""How a worker hears that it is to end."""

import signal
from threading import Event


def told_to_stop() -> Event:
    """Set by SIGTERM and by SIGINT from now on; call it on the main thread."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
