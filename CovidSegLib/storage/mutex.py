"""Named mutexes of Windows. They end with the process that holds them open, and leave no file behind."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ALREADY_EXISTS = 183


@contextmanager
def named_mutex(name: str) -> Iterator[bool]:
    """Hold a mutex open in the `with` block. Yields whether no other process of this computer does.

    Args:
        name: Its name, of at most 200 characters and without backslashes.
    """
    kernel = _kernel()
    handle = kernel.CreateMutexW(None, False, name)
    error = ctypes.get_last_error()  # type: ignore[attr-defined]
    try:
        yield not (handle and error == ALREADY_EXISTS)
    finally:
        if handle:
            kernel.CloseHandle(handle)


def _kernel() -> Any:
    """Return Windows' library with the types of the functions that are called."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.CreateMutexW.restype = ctypes.c_void_p
    kernel.CreateMutexW.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_wchar_p]
    kernel.CloseHandle.argtypes = [ctypes.c_void_p]
    return kernel
