"""Workers that are Ray actors, on this computer or on a cluster."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import InputError
from .engine import LOST, Job, Outcome, Work
from .resources import WORKER_PROCESSORS, Share, shares
from .worker import run_job

#: Ray is told to send nothing anywhere, and to be quiet.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
#: Bytes of the object store of an own Ray: only jobs and rows of numbers go through it.
_STORE = 100_000_000


class RayEngine:
    """Runs jobs in Ray actors that keep the model loaded. If one dies, another takes its place.

    Args:
        work: What is the same for all cases.
        folder: Folder of the cohort, which all nodes must see.
        workers: Number of actors; as many as there is room for if None.
        address: The cluster to join, such as "auto"; a Ray of its own on this computer if None.

    Raises:
        InputError: Ray is not installed, or there is no such cluster.
    """

    def __init__(self, work: Work, folder: Path, workers: int | None, address: str | None):
        self._ray = _import_ray()
        own = shares(workers, work.options.device) if address is None else None
        _connect(self._ray, address, own)
        self._work, self._folder = work, folder.absolute()
        resources = self._ray.cluster_resources()
        gpus = 0 if work.options.device == "cpu" else int(resources.get("GPU", 0))
        if own is None:
            workers = workers or gpus or max(1, int(resources.get("CPU", 1)) // WORKER_PROCESSORS)
            threads = max(1, int(resources.get("CPU", 1)) // workers)
        else:
            workers, threads = len(own), own[0].threads or _processors(own)
        self.workers = workers
        share = min(1.0, gpus / workers)
        self._actor = self._ray.remote(num_cpus=threads, num_gpus=share, max_restarts=0)(_Worker)
        self._actors: dict[int, Any] = {}
        self._running: dict[Any, int] = {}

    def start(self, slot: int, job: Job) -> None:
        """Start a job; see `Engine`."""
        if slot not in self._actors:
            self._actors[slot] = self._actor.remote(self._work, self._folder)
        self._running[self._actors[slot].run.remote(job)] = slot

    def wait(self, seconds: float) -> list[tuple[int, Outcome]]:
        """Wait for jobs; see `Engine`."""
        done, _ = self._ray.wait(list(self._running), timeout=seconds)
        ended = []
        for reference in done:
            slot = self._running.pop(reference)
            try:
                ended.append((slot, self._ray.get(reference)))
            except self._ray.exceptions.RayError as error:
                logging.getLogger(__name__).debug("a Ray actor has ended: %s", error)
                self._ray.kill(self._actors.pop(slot))
                ended.append((slot, LOST))
        return ended

    def close(self) -> None:
        """End all workers; see `Engine`."""
        for actor in self._actors.values():
            self._ray.kill(actor)
        self._actors.clear()
        self._ray.shutdown()


class _Worker:
    """The actor."""

    def __init__(self, work: Work, folder: Path):
        # Ray gives an actor its GPU as the first one.
        device = work.options.device.partition(":")[0]
        self._work = replace(work, options=replace(work.options, device=device))
        self._folder = folder

    def run(self, job: Job) -> Outcome:
        """Run a job; see `worker.run_job`."""
        if not self._folder.is_dir():
            return Outcome(
                "stop",
                f'The computer "{socket.gethostname()}" does not see the folder "{self._folder}". All nodes of a Ray '
                "cluster need the same shared folders.",
            )
        return run_job(self._work, job)


def _import_ray() -> Any:
    os.environ.update(_ENVIRONMENT)
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            "Ray is not installed. Install it with `pip install ray`, or use --engine local, which needs nothing."
        ) from error
    return ray


def _connect(ray: Any, address: str | None, own: Sequence[Share] | None) -> None:
    """Start a Ray on this computer, or join a cluster."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if own is not None:
        options |= {"num_cpus": _processors(own), "include_dashboard": False, "object_store_memory": _STORE}
    try:
        ray.init(address=address or "local", **options)
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f'There is no Ray cluster at "{address}"' if address else "Ray cannot be started"
        raise InputError(
            f"{where} ({str(error).splitlines()[0]}). Start one with `ray start --head`, or use --engine local."
        ) from error


def _processors(own: Sequence[Share]) -> int:
    """Return the number of processors that workers of this computer use together."""
    return sum(share.threads or os.cpu_count() or 1 for share in own)
