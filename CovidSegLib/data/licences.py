"""What a model card must state about training data: origin, licence and limits."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

_SLICES = "Ma et al. 2020, CT slices with lung and infection masks, CC BY-NC-SA"
_CLEAN = "Afshar et al. 2021, clean slices of whole scans, lungs outlined by thresholding"
_SINGLE = "MedSeg 2020, single slices of SIRM with ground glass and consolidation, free with attribution"
_WHOLE = "LIDC-IDRI, NSCLC Radiogenomics, CPTAC-PDA, C4KC-KiTS and TCGA, CC BY 3.0, and NSCLC-Radiomics, CC BY-NC 3.0"
_LICENCE = "CC BY-NC-SA 4.0 (that of the training data). Research use only; no commercial use."
_EIGHT_BIT = "Trained on 8-bit images converted back to HU: it may fail on other scanners and kernels."
#: By layout: names and descriptions of the data sets, the licence of weights trained on them, and their limits.
_FACTS: dict[str, tuple[dict[str, str], str | None, tuple[str, ...]]] = {
    "covid19_ct_seg_hu": (
        {"COVID-19-CT-Seg": _SLICES},
        _LICENCE,
        ("Trained on central slices of scans.", _EIGHT_BIT),
    ),
    "zenodo": ({"COVID-19-CT-Seg": _SLICES}, _LICENCE, ()),
    "kaggle": ({"COVID-19-CT-Seg": _SLICES}, _LICENCE, ()),
    "medseg_slices": ({"MedSeg": _SINGLE}, None, (_EIGHT_BIT,)),
}
#: The data sets of whole scans, by layout. Their licences allow that of the others.
_WHOLE_SCANS = {"covid_ct_md": {"COVID-CT-MD": _CLEAN}, "whole_scans": {"Whole scans without COVID-19": _WHOLE}}


def card_facts(layouts: Collection[str]) -> dict[str, Any]:
    """Return "data", "licence" and "limits" for `training.json`, from which `runs.card.write_card` makes the card.

    Args:
        layouts: Names of the layouts of all data that were used.

    Returns:
        The facts; empty if those of any layout are not known.
    """
    masked = [name for name in layouts if name not in _WHOLE_SCANS]
    if not masked or not all(name in _FACTS for name in masked):
        return {}
    licence = next((_FACTS[name][1] for name in masked if _FACTS[name][1]), None)
    if licence is None:  # the terms of MedSeg alone are not known well enough to promise anything
        return {}
    data = {title: text for name in masked for title, text in _FACTS[name][0].items()}
    data |= {title: text for name in layouts for title, text in _WHOLE_SCANS.get(name, {}).items()}
    limits = dict.fromkeys(sentence for name in masked for sentence in _FACTS[name][2])
    return {"data": data, "licence": licence, "limits": list(limits)}
