"""Patients, as far as the name of a scan tells: the same patients are in several data sets under several names."""

from __future__ import annotations

import re
from collections.abc import Collection

#: Names in COVID-19-CT-Seg, from its authors, Kaggle and others: a case of Radiopaedia, then its study and series.
_RADIOPAEDIA = re.compile(r"radiopaedia_(?:org_covid-19-pneumonia-)?(\d+)(?:_.*)?")
_CORONACASES = re.compile(r"coronacases_(?:org_)?(\d+)(?:_.*)?")


def patient_of(name: str) -> str:
    """Return the patient that the name of a scan or patient tells, otherwise the name itself.

    All studies and series of one case of Radiopaedia are one patient.

    Example:
        >>> patient_of("radiopaedia_29_86490_1"), patient_of("radiopaedia_29_86491_1")
        ('radiopaedia_29', 'radiopaedia_29')
    """
    for pattern, source in ((_RADIOPAEDIA, "radiopaedia"), (_CORONACASES, "coronacases")):
        if match := pattern.fullmatch(name):
            return f"{source}_{match[1]}"
    return name


def data_set_of(patient: str) -> str:
    """Return the data set of a patient by the name: both halves of COVID-19-CT-Seg are one, others end at "_".

    Example:
        >>> data_set_of("coronacases_001") == data_set_of("radiopaedia_29_86490_1"), data_set_of("medseg_1")
        (True, 'medseg')
    """
    known = patient_of(patient) != patient or patient.startswith(("radiopaedia_", "coronacases_"))
    return "COVID-19-CT-Seg" if known else patient.split("_", 1)[0]


def was_seen(patient: str, trained_on: Collection[str]) -> bool:
    """Return whether a patient is among those that a model was trained on, perhaps under another data set's name."""
    return patient_of(patient) in {patient_of(name) for name in trained_on}
