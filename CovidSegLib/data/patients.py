"""Whom a scan shows, where its name tells: the same patients are in several data sets, under several names."""

from __future__ import annotations

import re
from collections.abc import Collection

#: COVID-19-CT-Seg as its authors, Kaggle and others name it: a case of Radiopaedia, then a study and a series of it.
_RADIOPAEDIA = re.compile(r"radiopaedia_(?:org_covid-19-pneumonia-)?(\d+)(?:_.*)?")
_CORONACASES = re.compile(r"coronacases_(?:org_)?(\d+)(?:_.*)?")


def patient_of(name: str) -> str:
    """The patient that a scan or patient of this name is; the name itself where it tells no more.

    All studies and series of one case of Radiopaedia are one patient: `radiopaedia_29_86490_1` and
    `radiopaedia_29_86491_1` are `radiopaedia_29`.
    """
    for pattern, source in ((_RADIOPAEDIA, "radiopaedia"), (_CORONACASES, "coronacases")):
        if match := pattern.fullmatch(name):
            return f"{source}_{match[1]}"
    return name


def was_seen(patient: str, trained_on: Collection[str]) -> bool:
    """Whether a model that was trained on some patients has seen this one, maybe under another data set's name."""
    return patient_of(patient) in {patient_of(name) for name in trained_on}
