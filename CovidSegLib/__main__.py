"""The process `covidseg`, and `python -m CovidSegLib` where that is not on the path, as in Slicer."""

from typing import NoReturn

from .cli import process


def program() -> NoReturn:
    """Run `covidseg` as a process."""
    process.cancel_at_once()
    process.open_standard_streams()
    process.use_one_thread_for_small_matrices()

    from .cli.main import main  # Ctrl-C while it is imported must not end in a traceback

    process.end(main())


if __name__ == "__main__":
    program()
