"""What every command of `covidseg` receives."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..progress import Progress
from .interrupts import Interrupts
from .reporter import Reporter


@dataclass
class Session:
    """One run of a command.

    Attributes:
        options: The parsed arguments. Commands read them and do not change them.
        reporter: Shows progress, warnings and the end of the run.
        interrupts: Turns signals into `Cancelled`.
        on_cancel: Message for a cancelled run. A command that keeps what it has done so far sets another one.
    """

    options: argparse.Namespace
    reporter: Reporter
    interrupts: Interrupts
    on_cancel: str = "Cancelled; nothing was written."

    @property
    def progress(self) -> Progress:
        """Progress of the whole run; raises `Cancelled` once the run has been asked to stop."""
        return self.interrupts.checked(self.reporter)

    def defer_interrupts(self) -> AbstractContextManager[None]:
        """Let signals wait until the end of a block; see `Interrupts.defer`."""
        return self.interrupts.defer()
