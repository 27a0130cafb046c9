"""Logic of the section "readiness": what will be computed on, how long it will take, and whether the CT is usable."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from CovidSegLib.checks import check_volume
from CovidSegLib.errors import InputError
from CovidSegLib.reports.series import Series
from CovidSegLib.volume import Volume

from .. import settings
from ..process.background import Background
from ..process.devices import Device, list_devices
from ..scene.dicom_source import instance_uids, series_of_ct
from ..scene.volumes import checked_voxels, grid_of


@dataclass(frozen=True)
class Check:
    """What is known about a CT before it is segmented.

    Attributes:
        warnings: Sentences to read before the run.
        refusal: Why the CT cannot be segmented; empty if it can.
    """

    warnings: tuple[str, ...] = ()
    refusal: str = ""


class ReadinessLogic:
    """Check CTs and devices in threads. Call `poll` regularly.

    Args:
        list_devices: Returns the devices; by default those of the child process.
    """

    def __init__(self, list_devices: Callable[[], list[Device]] = list_devices):
        self._list_devices = list_devices
        self._devices: Background[list[Device]] | None = None
        self._check: Background[Check] | None = None
        self._checked: tuple[object, ...] | None = None
        self._series: Series | None = None
        self._series_key: tuple[object, ...] | None = None

    # --- the CT ---

    def check(self, ct: slicer.vtkMRMLScalarVolumeNode | None) -> Check | None:
        """Return what is known about a CT. Begin to check it if it is new or was changed; None until that is done."""
        if ct is None:
            self._check = self._checked = None
            return None
        image = ct.GetImageData()
        key = (ct.GetID(), image.GetMTime() if image else 0, *ct.GetSpacing(), *ct.GetOrigin())
        if key != self._checked:
            self._checked = key
            self._check = self._begin_check(ct)
        if self._check is None or not self._check.done:
            return None
        return self._check.result()

    def _begin_check(self, ct: slicer.vtkMRMLScalarVolumeNode) -> Background[Check]:
        try:
            volume = Volume(checked_voxels(ct), grid_of(ct))
        except InputError as error:
            refusal = str(error)
            return Background(lambda: Check(refusal=refusal))
        return Background(lambda: check(volume))

    def series(self, ct: slicer.vtkMRMLScalarVolumeNode | None) -> Series | None:
        """Return the DICOM series of a CT, or None. The database is asked once for each CT."""
        key = None if ct is None else (ct.GetID(), tuple(instance_uids(ct)[:1]))
        if key != self._series_key:
            self._series_key = key
            self._series = None if ct is None else series_of_ct(ct)
        return self._series

    # --- the device ---

    def begin_listing_devices(self) -> None:
        """Ask for the devices, if that was not done. Packages must be installed."""
        if self._devices is None:
            self._devices = Background(self._list_devices)

    def forget_devices(self) -> None:
        """Ask for the devices again the next time, because packages were installed."""
        self._devices = None

    def device(self, choice: str) -> Device | None:
        """Return the device that "auto", "cuda" or "cpu" stands for; None if it is not known (yet)."""
        if self._devices is None or not self._devices.done:
            return None
        try:
            devices = self._devices.result()
        except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
            logging.info("CovidSeg: the devices are not known", exc_info=True)
            self._devices = Background(list)
            return None
        gpus = [device for device in devices if device.is_gpu]
        cpus = [device for device in devices if not device.is_gpu]
        wanted = {"auto": gpus or cpus, "cuda": gpus, "cpu": cpus}[choice]
        return wanted[0] if wanted else None

    @property
    def waiting(self) -> bool:
        """Return True while a thread works, so that the panel looks again soon."""
        return any(task is not None and not task.done for task in (self._devices, self._check))

    def device_text(self, choice: str) -> str:
        """Return what will be used, in one line; empty if it is not known."""
        device = self.device(choice)
        if device is None:
            known = self._devices is not None and self._devices.done
            return _("No suitable graphics card was found.") if known and choice == "cuda" else ""
        if device.free_mb is None:
            return _("Will run on the processor ({name}).").format(name=device.name.removeprefix("CPU, "))
        return _("Will run on {name} ({free:.1f} GB free).").format(name=device.name, free=device.free_mb / 1024)

    # --- the time ---

    def remember_time(self, model: str, choice: str, slices: int, seconds: float) -> None:
        """Keep how long a run took."""
        settings.write(self._time_key(model, choice), f"{seconds / max(slices, 1):.4f}")

    def expected_seconds(self, model: str, choice: str, slices: int) -> float | None:
        """Return how long a run will take, from the last one with this model and kind of device, or None."""
        text = settings.read(self._time_key(model, choice))
        try:
            return float(text) * slices
        except ValueError:
            return None

    def _time_key(self, model: str, choice: str) -> str:
        device = self.device(choice)
        kind = choice if device is None else "cuda" if device.is_gpu else "cpu"
        return f"SecondsPerSlice/{model or 'default'}/{kind}"


def check(volume: Volume) -> Check:
    """Check the voxels of a CT."""
    try:
        return Check(warnings=check_volume(volume))
    except InputError as error:
        return Check(refusal=str(error))


def duration(seconds: float) -> str:
    """Return a rounded duration such as "about 40 s"."""
    if seconds < 90:
        return _("about {n}\u00a0s").format(n=max(5, 5 * round(seconds / 5)))
    return _("about {n}\u00a0min").format(n=round(seconds / 60))
