"""A claim on the folder that a long run will write its results to, so that a second run does not compute in vain."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from ..errors import InputError, InUseError
from .disk_errors import explain_disk_errors
from .mutex import named_mutex

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: How often to try again if a run that has just failed removes the folder at the same moment.
ATTEMPTS = 20
#: How often to try, every hundredth of a second, to be alone in the folder above.
PATIENCE = 30
HELD = frozenset({errno.EACCES, errno.EAGAIN})


@contextmanager
def claimed_folder(out: Path) -> Iterator[None]:
    """Claim a folder for the results of this run until the end of the `with` block.

    The claim is a lock of the operating system on the folder itself, and on Windows, which has no such locks, a mutex
    that is named after the folder. It leaves no file behind, and ends with the process. Some network drives have no
    locks, and a mutex does not reach other computers: two runs may then compute for one folder, and `staging` refuses
    the results of the second.

    Args:
        out: The folder. It and its parents are created; those that were created and are empty at the end are removed.

    Raises:
        InUseError: Another run has claimed the folder.
        InputError: It cannot be created or opened.
    """
    created: list[Path] = []
    with ExitStack() as stack:
        if fcntl is None:
            if not stack.enter_context(named_mutex(_mutex_name(out))):
                raise _claimed(out)
        else:
            with explain_disk_errors(out):
                handle = _lock(out, created)
            stack.callback(os.close, handle)
        stack.callback(_remove_empty, created)
        yield


def _lock(out: Path, created: list[Path]) -> int:
    """Create a folder if need be and lock it. Return its descriptor; `created` receives what was created."""
    if out.exists() and not out.is_dir():
        raise InputError(f'"{out}" is a file. Choose a folder for the results.')
    for _ in range(ATTEMPTS):
        handle = None
        try:
            with _alone_in(_nearest_folder(out.parent)):
                _create(out, created)
                handle = os.open(out, os.O_RDONLY)
                _lock_or_refuse(handle, out)
            if os.path.samestat(os.fstat(handle), out.stat()):
                return handle
        except FileNotFoundError:
            pass
        except InputError:
            # The folder is empty, but not ours to remove.
            if handle is not None:
                os.close(handle)
            raise
        except BaseException:
            _remove_empty(created)
            raise
        if handle is not None:
            os.close(handle)
    raise FileNotFoundError(errno.ENOENT, "it is being removed", str(out))


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Let one run at a time create folders here and claim them, so that the run that creates one also holds its claim.

    Otherwise nobody would remove it: not the run that made it, which does not hold the claim, and not the run that
    holds the claim, which found it there. If the folder stays locked, because a run writes to it, go on without.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        for _ in range(PATIENCE):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in HELD:
                    break  # the file system has no locks on folders
            time.sleep(0.01)
        yield
    finally:
        os.close(handle)


def _nearest_folder(folder: Path) -> Path:
    return next((each for each in (folder, *folder.parents) if each.is_dir()), folder)


def _create(out: Path, created: list[Path]) -> None:
    """Create a folder and its parents. `created` receives those that were missing, the innermost first.

    Another run may create or remove them at the same moment. Therefore a folder that was missing counts, and also one
    that only this function made: the run that holds the claim removes both at its end if they are empty.
    """
    for folder in reversed((out, *out.parents)):
        missing = not folder.exists()
        if missing or folder == out:  # which a run that has just failed may remove now
            with suppress(FileExistsError):
                folder.mkdir()
                missing = True
        if missing and folder not in created:
            created.insert(0, folder)


def _lock_or_refuse(handle: int, out: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in HELD:
            raise _claimed(out) from error
        # The file system has no locks on folders.


def _mutex_name(out: Path) -> str:
    """Name a mutex after a folder, in whichever case and from wherever its path is given."""
    path = os.path.normcase(out.resolve())
    return "CovidSeg-" + hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()


def _claimed(out: Path) -> InUseError:
    return InUseError(
        f'Another run of CovidSeg is going to write to "{out}". Wait until it has ended, or choose another folder.'
    )


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # it holds results, or another run needs it
            folder.rmdir()
