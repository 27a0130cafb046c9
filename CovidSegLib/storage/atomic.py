"""Atomic writing: a file is complete or keeps its earlier content, even if the process is killed meanwhile."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Write a temporary file beside `path`, flush it to the disk and rename it to `path`.

    Args:
        path: The file to write or replace.
        write: Writes the content to the path that it receives.

    Raises:
        OSError: Writing failed; `filename` is `path`. The earlier file is unchanged. Use `explain_disk_errors` to tell
            the user.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "numbers.txt"
        >>> write_atomically(path, lambda temporary: temporary.write_text("1 2 3"))
        >>> path.read_text()
        '1 2 3'
    """
    temporary = temporary_path(path)
    try:
        try:
            write(temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except OSError as error:
        if error.errno is None:
            raise
        # The user knows the file by its final name.
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_bytes_atomically(path: Path, content: bytes | memoryview) -> None:
    """Write bytes with `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_bytes(content))


def write_text_atomically(path: Path, text: str) -> None:
    """Write UTF-8 text with `write_atomically`. Lines end in LF on every system.

    What UTF-8 cannot store, from a name that is not valid UTF-8, becomes an escape, which JSON reads back as it was.
    """
    content = text.encode("utf-8", "backslashreplace")
    write_bytes_atomically(path, content)


def write_json_atomically(path: Path, value: object) -> None:
    """Write a value as JSON, in the format of `json_text`, with `write_atomically`."""
    write_text_atomically(path, json_text(value))


def json_text(value: object) -> str:
    """Return a value as JSON text: one value a line, indented by one space, with a final newline."""
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def temporary_path(path: Path) -> Path:
    """Return the name that `write_atomically` uses until a file is complete. A killed process may leave it behind."""
    return path.with_name(f"{path.name}.new")


def _sync_folder(folder: Path) -> None:
    """Make a renaming survive a power failure. Windows neither needs nor allows this."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
