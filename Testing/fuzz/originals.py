"""Small valid CTs in every supported format and encoding, which the fuzzer mutates."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fuzz.dicom_originals import dicom_originals
from fuzz.image_originals import metaimage_originals, nifti_originals, nrrd_originals
from fuzz.original import Original


def make_originals() -> list[Original]:
    """Make all originals. They are the same in each call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        makers = (dicom_originals, nifti_originals, nrrd_originals, metaimage_originals)
        return [original for make in makers for original in make(folder)]
