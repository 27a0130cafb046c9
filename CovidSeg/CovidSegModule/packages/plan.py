"""What an installation will download, how much space it takes, and where."""

from __future__ import annotations

import shutil
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from slicer.i18n import tr as _

#: Megabytes to download and on disk, rounded up, with the packages that each one needs in turn.
SIZES_MB = {
    "openvino": (90, 250),
    "monai": (5, 20),
    "scikit-image": (40, 120),
    "safetensors": (1, 3),
    "highdicom": (5, 15),
    "jinja2": (1, 1),
    "fpdf2": (6, 20),
    "uharfbuzz": (3, 8),
}
#: The same for torch, without and with support for NVIDIA's graphics cards.
TORCH_MB, TORCH_CUDA_MB = (400, 1500), (3000, 8000)
#: Space in MB that must stay free, and that pip needs for temporary files.
SPARE_MB = 500


@dataclass(frozen=True)
class Plan:
    """What an installation needs.

    Attributes:
        names: Packages to install.
        download_mb: Megabytes to download.
        disk_mb: Megabytes on disk.
        folder: Where they are installed.
        free_mb: Free megabytes there.
    """

    names: tuple[str, ...]
    download_mb: int
    disk_mb: int
    folder: Path
    free_mb: int

    @property
    def fits(self) -> bool:
        """Return True if the disk has enough space."""
        return self.free_mb >= self.disk_mb + SPARE_MB

    def question(self) -> str:
        """Return the question to ask before anything is installed."""
        text = _(
            "CovidSeg needs these Python packages: {names}.\n\n"
            'About {download} will be downloaded from the internet and installed into Slicer\'s Python, "{folder}". '
            "There they take about {disk}; {free} are free. This is needed only once and takes {time}. No image leaves "
            "this computer."
        ).format(
            names=", ".join(self.names),
            download=size(self.download_mb),
            folder=self.folder,
            disk=size(self.disk_mb),
            free=size(self.free_mb),
            time=_("a few minutes") if self.download_mb > 100 else _("less than a minute"),
        )
        return text + "\n\n" + (_("Install them now?") if self.fits else self.too_little_space())

    def too_little_space(self) -> str:
        """Return what to do if the disk has too little space."""
        return _('The disk has too little space. Free {size} on the disk that holds "{folder}", and try again.').format(
            size=size(self.disk_mb + SPARE_MB - self.free_mb), folder=self.folder
        )


def make_plan(names: list[str]) -> Plan:
    """Return what installing packages needs on this computer."""
    torch = TORCH_CUDA_MB if has_nvidia_driver() else TORCH_MB
    sizes = [torch if name == "torch" else SIZES_MB.get(name, (50, 150)) for name in names]
    folder = Path(sysconfig.get_paths()["purelib"])
    return Plan(
        tuple(names),
        sum(download for download, _disk in sizes),
        sum(disk for _download, disk in sizes),
        folder,
        shutil.disk_usage(folder).free // 10**6,
    )


def has_nvidia_driver() -> bool:
    """Return True if NVIDIA's driver is installed. Then PyTorch with support for the graphics card is installed."""
    return shutil.which("nvidia-smi") is not None


def size(megabytes: int) -> str:
    """Return a size such as "5 MB" or "3 GB"."""
    if megabytes < 1000:
        return f"{megabytes} MB"
    return f"{megabytes / 1000:.1f}".removesuffix(".0") + " GB"
