"""Names, colours and SNOMED CT codes of the segments, in files and in Slicer."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """A coded concept as in DICOM: coding scheme, code value and code meaning."""

    scheme: str = ""
    value: str = ""
    meaning: str = ""


class Segment(NamedTuple):
    """Name, colour and codes of a segment.

    Attributes:
        identifier: Key in `Segmentation.segments`, and segment ID in files.
        name: Displayed name.
        color: Red, green and blue, each from 0 to 1.
        category: DICOM Segmented Property Category.
        type: DICOM Segmented Property Type.
        modifier: DICOM Segmented Property Type Modifier.
        region: DICOM Anatomic Region, if the type is not an anatomical structure.
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
        """Value of the segment tag `TerminologyEntry` in Slicer: seven fields separated by tildes."""
        codes = (self.category, self.type, self.modifier)
        terms = ["^".join(code) for code in codes]
        return "~".join([TERMS_CONTEXT, *terms, REGION_CONTEXT, "^".join(self.region), "^".join(Code())])


#: Terminology contexts in which Slicer looks the codes up. Slicer always loads both.
TERMS_CONTEXT = "Segmentation category and type - DICOM master list"
REGION_CONTEXT = "Anatomic codes - DICOM master list"

ANATOMY = Code("SCT", "123037004", "Anatomical Structure")
ALTERED = Code("SCT", "49755003", "Morphologically Altered Structure")
LUNG = Code("SCT", "39607008", "Lung")

#: The segments in display order. The colours are Okabe and Ito's, which colour-blind people can distinguish.
# The codes of the infection read "Pneumonia, COVID-19, Lung".
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

#: The segment of models that find lung tumours. The codes read "Neoplasm, Lung".
TUMOUR = Segment(
    "tumour", "Lung tumour", (0.8, 0.475, 0.655), ALTERED, Code("SCT", "108369006", "Neoplasm"), Code(), LUNG
)
