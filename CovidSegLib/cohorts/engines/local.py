"""Workers that are processes of this computer."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import wait as wait_for

from .engine import LOST, Job, Outcome, Work
from .resources import Share
from .worker import run_job

#: Variables that limit the threads of numerical libraries.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
_IGNORED = ("SIGINT", "SIGHUP")


class LocalEngine:
    """Runs jobs in processes, each in a pool of its own: if one dies, the others go on.

    Args:
        work: What is the same for all cases.
        shares: Processors and device of each worker.
    """

    def __init__(self, work: Work, shares: list[Share]):
        self.workers = len(shares)
        self._work, self._shares = work, shares
        self._pools: dict[int, ProcessPoolExecutor] = {}
        self._running: dict[Future[Outcome], int] = {}

    def start(self, slot: int, job: Job) -> None:
        """Start a job; see `Engine`."""
        if slot not in self._pools:
            # Not forked: PyTorch and OpenVINO have threads.
            self._pools[slot] = ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn"), _prepare, (self._shares[slot],)
            )
        options = replace(self._work.options, device=self._shares[slot].device)
        self._running[self._pools[slot].submit(run_job, replace(self._work, options=options), job)] = slot

    def wait(self, seconds: float) -> list[tuple[int, Outcome]]:
        """Wait for jobs; see `Engine`."""
        done, _ = wait(self._running, seconds, FIRST_COMPLETED)
        ended = []
        for future in done:
            slot = self._running.pop(future)
            try:
                ended.append((slot, future.result()))
            except BrokenProcessPool:
                self._pools.pop(slot).shutdown(wait=False)
                ended.append((slot, LOST))
        return ended

    def close(self) -> None:
        """End all workers; see `Engine`."""
        for pool in self._pools.values():
            for process in list((pool._processes or {}).values()):
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)
        self._pools.clear()


def _prepare(share: Share) -> None:
    """Prepare the process of a worker."""
    for name in _IGNORED:  # Ctrl-C reaches all processes of a terminal, and the parent ends its workers
        with suppress(AttributeError):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if share.threads is not None:
        for name in THREADS:
            os.environ.setdefault(name, str(share.threads))
    if share.processors and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, share.processors)  # which OpenVINO follows


def _end_with_parent() -> None:
    """End this process when its parent is killed, so that it does not go on for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
