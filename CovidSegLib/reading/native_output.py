"""What native libraries print to standard error, which is how some of them report damaged data."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

_LOCK = threading.Lock()


class NativeOutput:
    """What was printed inside a `captured_native_output` block.

    Attributes:
        text: Empty until the block has ended.
    """

    text = ""


def _reserve_memory_of_blas() -> None:
    """Let NumPy's linear algebra allocate its buffer while standard error is open.

    OpenBLAS ends the whole process if it gets no memory for it, and says so there.
    """
    np.linalg.det(np.eye(3))


@contextmanager
def captured_native_output() -> Iterator[NativeOutput]:
    """Keep what native code prints to standard error off the terminal, and make it available after the block.

    The file descriptor of the whole process is redirected, so blocks in several threads wait for each other. Where the
    process has no standard error, as programs with a window on Windows, nothing is captured.
    """
    output = NativeOutput()
    _reserve_memory_of_blas()
    with _LOCK, tempfile.TemporaryFile() as file:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            original = os.dup(2)
        except OSError:
            yield output
            return
        os.dup2(file.fileno(), 2)
        try:
            yield output
        finally:
            os.dup2(original, 2)
            os.close(original)
            file.seek(0)
            output.text = file.read().decode("utf-8", "replace")
