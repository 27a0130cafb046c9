"""Names, colours and SNOMED CT terms of the three segments, for files and for Slicer alike."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept as DICOM has it: scheme, value and meaning."""

    scheme: str = ""
    value: str = ""
    meaning: str = ""


class Segment(NamedTuple):
    """How one segment is called, shown and coded.

    Attributes:
        identifier: The key in `Segmentation.segments` and the segment ID in files.
        name: What the user sees.
        color: Red, green and blue, each 0 to 1.
        category: DICOM's Segmented Property Category.
        type: DICOM's Segmented Property Type.
        modifier: DICOM's Segmented Property Type Modifier.
        region: DICOM's Anatomic Region, where the type is not itself anatomy.
    """

    identifier: str
    name: str
    color: tuple[float, float, float]
    category: Code
    type: Code
    modifier: Code
    region: Code = Code()

    @property
    def terminology_entry(self) -> str:
        """The value of Slicer's segment tag `TerminologyEntry`: seven fields between tildes."""
        codes = (self.category, self.type, self.modifier)
        terms = ["^".join(code) for code in codes]
        return "~".join([TERMS_CONTEXT, *terms, REGION_CONTEXT, "^".join(self.region), "^".join(Code())])


#: The lists that Slicer looks the codes up in; both are loaded in every Slicer.
TERMS_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"

ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
ALTERED = Code("SCT", "49755003", "Morphologically Altered Structure")
LUNG = Code("SCT", "39607008", "Lung")

#: The segments in the order in which they are listed. Okabe and Ito's colours, told apart by the colour-blind too.
# The infection reads "Pneumonia, COVID-19, Lung", as a radiologist would call it.
SEGMENTS = (
    Segment("right_lung", "Right lung", (0.337, 0.706, 0.914), ANATOMY, LUNG, Code("SCT", "24028007", "Right")),
    Segment("left_lung", "Left lung", (0.0, 0.447, 0.698), ANATOMY, LUNG, Code("SCT", "7771000", "Left")),
    Segment(
        "infection",
        "COVID-19 infection",
        (0.835, 0.369, 0.0),
        ALTERED,
        Code("SCT", "233604007", "Pneumonia"),
        Code("SCT", "840539006", "COVID-19"),
        LUNG,
    ),
)
