"""What the card of a model must say of the data that it was trained on: whose they are, and under which terms."""

from __future__ import annotations

from typing import Any

_SLICES = "Ma et al. 2020, CT slices with lung and infection masks, CC BY-NC-SA"
_SLICES_LICENCE = "Weights: CC BY-NC-SA 4.0, for research, not for commercial use (the training data's licence)."
_EIGHT_BIT = "Trained on 8-bit pictures put back on a HU scale: on other scanners and kernels it may err."
_CLEAN = "Afshar et al. 2021, clean slices of whole scans, lungs outlined by thresholding"
#: By layout; the terms of other data are not known here, and their card says so.
_TERMS: dict[str, dict[str, Any]] = {
    "covid19_ct_seg_hu": {
        "data": {"COVID-19-CT-Seg": _SLICES},
        "licence": _SLICES_LICENCE,
        "limits": ["Trained on central slices of scans.", _EIGHT_BIT],
    },
    "zenodo": {"data": {"COVID-19-CT-Seg": _SLICES}, "licence": _SLICES_LICENCE},
    "kaggle": {"data": {"COVID-19-CT-Seg": _SLICES}, "licence": _SLICES_LICENCE},
}


def terms_of(layout: str, *, whole_scans: bool = False) -> dict[str, Any]:
    """Facts for `training.json`: "data", "licence" and "limits", as `training.pack.write_card` takes them.

    Args:
        layout: Of a `DataSet`, perhaps several names with " + " between them.
        whole_scans: Whether clean slices of COVID-CT-MD were used too.

    Returns:
        What is known; nothing where any of the layouts has terms that are not known.
    """
    names = [name for name in layout.split(" + ") if name != "covid_ct_md"]
    if not names or not all(name in _TERMS for name in names):
        return {}
    facts = {key: value for name in names for key, value in _TERMS[name].items()}
    return {**facts, "data": {**facts["data"], **({"COVID-CT-MD": _CLEAN} if whole_scans else {})}}
