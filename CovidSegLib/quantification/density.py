"""Ranges of Hounsfield units that divide lung tissue into kinds."""

from __future__ import annotations

from typing import NamedTuple


class HuRange(NamedTuple):
    """A range of Hounsfield units: `low` is included, `high` is not."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high} HU"


#: Kinds of tissue within the infection. Ground glass is denser than aerated lung, but vessels remain visible in it;
#: consolidation obscures them.
INFECTION_RANGES = {"ground_glass": HuRange(-750, -300), "consolidation": HuRange(-300, 50)}
#: Kinds of tissue in the whole lung, whether segmented or not: the default thresholds of Lung CT Analyzer
#: (github.com/Slicer/SlicerLungCTAnalyzer). As there, vessels and effusion within the masks count as collapsed.
LUNG_RANGES = {
    "emphysema": HuRange(-1050, -950),
    "inflated": HuRange(-950, -750),
    "infiltrated": HuRange(-750, -400),
    "collapsed": HuRange(-400, 0),
}
