"""Open `cohort.sqlite`, and read and change it in short transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from ..errors import DiskFullError, InputError
from ..storage.disk_errors import explain_disk_errors
from .schema import check_version, create_tables

#: Name of the file in the folder of a cohort.
FILE = "cohort.sqlite"
#: Seconds to wait while another process writes. Transactions take milliseconds, on network drives tenths of a second.
PATIENCE = 60.0


class Cohort:
    """A folder with `cohort.sqlite`, from `open_cohort` or `create_cohort`; or one part of a cohort in `parts/`.

    Every transaction opens the file anew. Therefore an object can be used by several threads, and no lock stays behind
    on a network drive while nothing is written.

    Attributes:
        folder: The folder. Relative paths in the tables are relative to it.
        file: Its `cohort.sqlite`.
        patience: Seconds to wait while another process writes.
    """

    def __init__(self, file: Path, patience: float = PATIENCE, folder: Path | None = None):
        self.file, self.folder, self.patience = file, folder or file.parent, patience

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for reading. Rows are `sqlite3.Row`.

        Raises:
            InputError: The file is damaged or cannot be read, or another process blocks it.
        """
        with self._connected() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("ROLLBACK")

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for one transaction: all changes are stored at the end of the `with` block, or none.

        Raises:
            DiskFullError: The disk is full.
            InputError: The file is damaged or cannot be written, or another process blocks it.
        """
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def path_of(self, stored: str) -> Path:
        """Return the path that a table holds: absolute, or relative to the folder."""
        return self.folder / stored

    def stored(self, path: Path) -> str:
        """Return a path as the tables hold it: relative if it lies in the folder, so that the folder can be moved."""
        absolute, folder = path.absolute(), self.folder.absolute()
        return absolute.relative_to(folder).as_posix() if absolute.is_relative_to(folder) else str(absolute)

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with _explained(self.file), closing(_connect(self.file, self.patience)) as connection:
            yield connection


def create_cohort(folder: Path, name: str = FILE, patience: float = PATIENCE) -> Cohort:
    """Create the file in a folder, or open it if it exists.

    Args:
        folder: The folder of the cohort. It is created if need be.
        name: Name of the file; of a part of a cohort, its path in the folder.
        patience: Seconds to wait while another process writes.

    Raises:
        InputError: It cannot be written, or is not a cohort.
    """
    file = folder / name
    with explain_disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    with _explained(file), closing(_connect(file, patience)) as connection:
        # A killed process may have left an empty file.
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            create_tables(connection)
    return open_cohort(file, patience, folder)


def open_cohort(path: Path, patience: float = PATIENCE, folder: Path | None = None) -> Cohort:
    """Open the cohort in a folder.

    Args:
        path: The folder, or its `cohort.sqlite`.
        patience: Seconds to wait while another process writes. A worklist waits less than a batch.
        folder: The folder that relative paths start from, if it is not that of the file.

    Raises:
        InputError: There is none, or it cannot be read.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> cohort = create_cohort(folder)
        >>> with open_cohort(folder).reading() as connection:
        ...     connection.execute("SELECT count(*) FROM cases").fetchone()[0]
        0
    """
    file = path / FILE if path.is_dir() else path
    if not file.is_file():
        raise InputError(f'There is no cohort in "{path}". Choose a folder that `covidseg batch` has written.')
    cohort = Cohort(file, patience, folder)
    with cohort.reading() as connection:
        check_version(connection, file.name)
    return cohort


def _connect(file: Path, patience: float) -> sqlite3.Connection:
    # Transactions begin and end where this module says so, and a missing file is not created.
    connection = sqlite3.connect(
        f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=patience, isolation_level=None
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


@contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn errors of SQLite into messages for the user."""
    try:
        yield
    except sqlite3.IntegrityError:
        raise  # a defect of ours
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name == "SQLITE_FULL":
            raise DiskFullError(f'The disk is full: "{file}" was not written. Free some space.') from error
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            raise InputError(f'Another program has "{file}" open for writing. Close it and try again.') from error
        if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            raise InputError(f'No permission to write to "{file}". Ask for permission, or copy the folder.') from error
        if name.startswith("SQLITE_IOERR"):
            raise InputError(f'"{file}" cannot be read or written. Check the disk and the network.') from error
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise InputError(f'"{file}" is damaged or is not a cohort of CovidSeg. Use a copy of it.') from error
        raise
