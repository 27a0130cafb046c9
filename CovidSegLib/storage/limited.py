"""Read small files of others: regular files only, of limited size.

A pipe may wait for ever, a device file such as /dev/zero never ends, and deeply nested JSON exhausts the stack.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any

#: Bytes of the longest text that is read: lists of large data sets, and cards and recipes as long as books.
LONGEST_TEXT = 10_000_000


def read_limited(path: Path, limit: int) -> bytes:
    """Read a regular file.

    Args:
        path: The file.
        limit: Largest size in bytes.

    Raises:
        OSError: It is missing, not a regular file, larger than the limit, or cannot be read. `strerror` says which.
    """
    check_regular_file(path, limit)
    with path.open("rb") as file:
        # `read` reserves memory for as much as it is asked for.
        content = file.read(min(os.fstat(file.fileno()).st_size, limit) + 1)
    if len(content) > limit:  # it has grown meanwhile
        raise _too_large(path)
    return content


def read_limited_text(path: Path) -> str:
    """Read a text file as UTF-8, with or without a byte order mark.

    Raises:
        OSError: See `read_limited`.
        UnicodeDecodeError: It is not UTF-8; a `ValueError`.
    """
    text = read_limited(path, LONGEST_TEXT).decode("utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_limited_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        OSError: See `read_limited`.
        ValueError: It is not valid JSON.
    """
    return parse_json(read_limited(path, LONGEST_TEXT))


def parse_json(content: bytes | str) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is not valid JSON, or nested too deeply to be read.
    """
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def check_regular_file(path: Path, limit: int) -> None:
    """Check that a file can be read to its end.

    Raises:
        OSError: It is missing, not a regular file or larger than the limit.
    """
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    if status.st_size > limit:
        raise _too_large(path)


def _too_large(path: Path) -> OSError:
    return OSError(errno.EFBIG, "it is too large", str(path))
