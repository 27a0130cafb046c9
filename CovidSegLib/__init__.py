"""Segment lungs and COVID-19 infection in chest CT, quantify the infection, and train and evaluate models.

Research software. Not for diagnosis. Arrays have the axes (z, y, x). Coordinates are LPS, in mm.

Example:
    >>> import CovidSegLib as cs
    >>> volume = cs.read_volume("ct/")  # doctest: +SKIP
    >>> result = cs.segment(volume)  # doctest: +SKIP
    >>> report = cs.quantify(volume, result)  # doctest: +SKIP
    >>> report["lungs"]["both"]["involvement_percent"]  # doctest: +SKIP
    4.2
"""

import importlib

__version__ = "0.1.0"

#: The public names and the modules that define them. They are imported on first use, so that a program that needs only
#: some of them, such as 3D Slicer, does not load torch or VTK.
_MODULES = {
    "Grid": "volume",
    "Segmentation": "segmentation",
    "Volume": "volume",
    "find_model": "models",
    "open_data": "data",
    "quantify": "quantification",
    "read_volume": "reading",
    "segment": "pipeline",
    "surfaces_of": "surfaces",
    "write_results": "outputs",
}

__all__ = [*_MODULES, "__version__"]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
