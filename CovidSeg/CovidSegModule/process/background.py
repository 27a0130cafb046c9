"""Work that runs in a thread while Slicer stays responsive."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """A function that runs in a thread of its own.

    The function must not touch nodes, VTK objects or widgets. Only work that releases Python's lock, such as reading
    files, unpacking, and NumPy on whole arrays, keeps the application responsive.

    Args:
        function: What to do.
    """

    def __init__(self, function: Callable[[], T]):
        self._function = function
        self._outcome: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Return True if the function has returned or raised an exception."""
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Wait for the function, but not longer than some seconds. Return whether it is done."""
        self._thread.join(seconds)
        return self.done

    def result(self) -> T:
        """Wait for the function. Return what it returned, or raise what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._outcome[0]

    def _run(self) -> None:
        try:
            self._outcome.append(self._function())
        except BaseException as error:
            self._error = error
