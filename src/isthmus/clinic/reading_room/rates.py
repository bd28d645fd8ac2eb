"""How often one account, or one address that is not signed in, may ask: a leaky bucket each, in memory."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from isthmus.clinic.reading_room.refusal import Refusal

# So many are remembered; the one that asked longest ago is forgotten first, and its bucket was empty by then.
_REMEMBERED = 10_000


class Rates:
    """Counts requests.

    Parameters
    ----------
    per_second : int
        In the long run.
    burst : int
        At once.
    clock : callable
        Seconds.
    """

    def __init__(self, per_second: int, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._fill: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def count(self, who: str) -> None:
        """Count a request of an account or address.

        Raises
        ------
        Refusal
            429 with ``Retry-After`` when it asks too often.
        """
        now = self._clock()
        with self._lock:
            level, then = self._fill.pop(who, (0.0, now))
            level = max(0.0, level - (now - then) * self._per_second)
            too_many = level + 1 > self._burst
            self._fill[who] = (level if too_many else level + 1, now)
            while len(self._fill) > _REMEMBERED:
                self._fill.popitem(last=False)
        if too_many:
            raise Refusal(429, "too_many_requests", headers={"Retry-After": "1"})
