"""What a model card must state about training data: origin, licence and limits."""

from __future__ import annotations

from typing import Any

_SLICES = "Ma et al. 2020, CT slices with lung and infection masks, CC BY-NC-SA"
_SLICES_LICENCE = "CC BY-NC-SA 4.0 (that of the training data). Research use only; no commercial use."
_EIGHT_BIT = "Trained on 8-bit images converted back to HU: it may fail on other scanners and kernels."
_CLEAN = "Afshar et al. 2021, clean slices of whole scans, lungs outlined by thresholding"
#: By layout. Cards of models trained on other data state that the licence is not known.
_FACTS: dict[str, dict[str, Any]] = {
    "covid19_ct_seg_hu": {
        "data": {"COVID-19-CT-Seg": _SLICES},
        "licence": _SLICES_LICENCE,
        "limits": ["Trained on central slices of scans.", _EIGHT_BIT],
    },
    "zenodo": {"data": {"COVID-19-CT-Seg": _SLICES}, "licence": _SLICES_LICENCE},
    "kaggle": {"data": {"COVID-19-CT-Seg": _SLICES}, "licence": _SLICES_LICENCE},
}


def card_facts(layout: str, *, whole_scans: bool = False) -> dict[str, Any]:
    """Return "data", "licence" and "limits" for `training.json`, from which `runs.card.write_card` makes the card.

    Args:
        layout: `DataSet.layout`, which may be several names joined by " + ".
        whole_scans: Whether clean slices of COVID-CT-MD were used too.

    Returns:
        The facts; empty if those of any layout are not known.
    """
    names = [name for name in layout.split(" + ") if name != "covid_ct_md"]
    if not names or not all(name in _FACTS for name in names):
        return {}
    facts = {key: value for name in names for key, value in _FACTS[name].items()}
    return {**facts, "data": {**facts["data"], **({"COVID-CT-MD": _CLEAN} if whole_scans else {})}}
