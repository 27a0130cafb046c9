"""How long a case has been read: only while something happens."""

from __future__ import annotations

#: Seconds without any sign of the reader after which the clock stops.
IDLE_SECONDS = 60.0
#: Longest time between two looks that counts. A computer that was asleep has looked much earlier.
LONGEST_STEP = 5.0


class ReadingClock:
    """Adds up the time in which a reader is at work.

    Args:
        seconds: Time from earlier visits.

    Attributes:
        seconds: The time until now.
    """

    def __init__(self, seconds: float = 0.0):
        self.seconds = seconds
        self._looked: float | None = None
        self._seen: object = None
        self._last_sign = 0.0

    def look(self, now: float, active: bool, signs: object) -> None:
        """Count the time since the last look, if the reader was at work.

        Args:
            now: A clock in seconds that only goes forward.
            active: Whether Slicer is the active program and CovidSeg the open module.
            signs: What changes with anything that the reader does: position of the mouse, of the views, masks.
        """
        if signs != self._seen or self._looked is None:
            self._seen, self._last_sign = signs, now
        if active and self._looked is not None and now - self._last_sign <= IDLE_SECONDS:
            self.seconds += min(now - self._looked, LONGEST_STEP)
        self._looked = now if active else None
