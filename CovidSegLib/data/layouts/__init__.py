"""The layouts of data sets that can be read, one file each. The first one that fits a folder is used."""

from __future__ import annotations

from ..entry import Layout
from . import (
    covid19_ct_seg_hu,
    covid_19_20,
    covid_ct_md,
    kaggle,
    medseg,
    medseg_slices,
    mosmed,
    msd_lung,
    nnunet,
    pairs,
    whole_scans,
    zenodo,
)

LAYOUTS: tuple[Layout, ...] = (
    medseg_slices.LAYOUT,  # before the last one whose list is index.json, which reports damaged ones
    whole_scans.LAYOUT,
    covid19_ct_seg_hu.LAYOUT,
    covid_ct_md.LAYOUT,
    zenodo.LAYOUT,
    kaggle.LAYOUT,
    medseg.LAYOUT,
    msd_lung.LAYOUT,
    nnunet.LAYOUT,
    mosmed.LAYOUT,
    covid_19_20.LAYOUT,
    pairs.LAYOUT,
)
