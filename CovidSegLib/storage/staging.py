"""Write all files of a result into a folder, or none of them.

The files are written to a temporary folder inside their destination, so on the same disk, and renamed at the end. After
any failure before that, the destination is as it was.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DiskFullError, InputError
from .disk_errors import explain_disk_errors

PREFIX = ".covidseg-"
#: Age at which temporary folders of killed processes are removed.
LEFTOVER_SECONDS = 3600.0
#: Free space below which no long computation is started.
ROOM_MB = 50


def check_writable(out: Path, names: Collection[str], *, overwrite: bool) -> None:
    """Check that `staged_files` would succeed, without leaving anything behind.

    Args:
        out: The destination.
        names: All names that files of a result may have.
        overwrite: Whether an earlier result may be replaced.

    Raises:
        InputError: `out` is a file, cannot be created or written, its disk is full, or it contains an earlier result.
    """
    with explain_disk_errors(out):
        _check_names(out, names, overwrite)
        with _temporary_folder(out, keep=False) as folder:
            (folder / "trial").write_bytes(b"trial")
            if shutil.disk_usage(folder).free < ROOM_MB * 1_000_000:
                raise DiskFullError(
                    f'There is less than {ROOM_MB} MB of room at "{out}". Free some space or choose another folder.'
                )


@contextmanager
def staged_files(out: Path, names: Collection[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder whose files are moved to `out` at the end of the `with` block.

    Args:
        out: The destination; created if it does not exist.
        names: All names that files of a result may have.
        overwrite: Replace an earlier result, that is, all files in `out` with one of the names. They are kept until the
            new files are complete, and those without a new version are removed. Other files are left alone.

    Raises:
        InputError: Same as in `check_writable`. After this and any other exception `out` is as it was.

    Example:
        >>> out = Path(tempfile.mkdtemp()) / "results"
        >>> with staged_files(out, ["report.json"], overwrite=False) as folder:
        ...     _ = (folder / "report.json").write_text("{}")
        >>> [path.name for path in out.iterdir()]
        ['report.json']
    """
    with explain_disk_errors(out):
        _check_names(out, names, overwrite)
        with _temporary_folder(out, keep=True) as folder:
            yield folder
            _check_names(out, names, overwrite)
            _swap(folder, out, names)


def _check_names(out: Path, names: Collection[str], overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f'"{out}" is a file. Choose a folder for the results.')
    existing = sorted(name for name in names if (out / name).exists())
    for name in existing:
        if (out / name).is_dir():
            raise InputError(f'In "{out}" there is a folder named "{name}". Choose another folder for the results.')
    if existing and not overwrite:
        raise InputError(
            f'"{out}" already holds results ({", ".join(existing)}). Choose another folder, or allow overwriting.'
        )


@contextmanager
def _temporary_folder(out: Path, *, keep: bool) -> Iterator[Path]:
    """Yield a temporary folder in `out`. `out` and its parents are created, and stay if `keep` and nothing fails."""
    created = []
    folder = out
    while not folder.exists():
        created.append(folder)
        folder = folder.parent
    try:
        out.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(out)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=out))
        try:
            yield folder
        finally:
            _remove(folder)
        created = [] if keep else created
    finally:
        for folder in created:
            with suppress(OSError):  # another program has written into it
                folder.rmdir()


def _swap(folder: Path, out: Path, names: Collection[str]) -> None:
    """Move the earlier result out of `out` and the new one in. If that fails, move everything back."""
    new = sorted(path.name for path in folder.iterdir())
    earlier = folder / "earlier"
    earlier.mkdir()
    try:
        for name in names:
            if (out / name).exists():
                (out / name).rename(earlier / name)
        for name in new:
            (folder / name).rename(out / name)
    except BaseException:
        for name in new:
            if not (folder / name).exists():
                (out / name).unlink(missing_ok=True)
        for path in earlier.iterdir():
            path.rename(out / path.name)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Remove a temporary folder, unless it contains earlier results that could not be moved back."""
    if not any(folder.glob("earlier/*")):
        shutil.rmtree(folder, ignore_errors=True)


def _remove_leftovers(out: Path) -> None:
    for folder in out.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > LEFTOVER_SECONDS:
                _remove(folder)
