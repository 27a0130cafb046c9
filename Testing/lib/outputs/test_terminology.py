"""Codes of the segments, compared with SNOMED CT's own values and not with the table of the library."""

from __future__ import annotations

import pytest

from CovidSegLib.outputs.terminology import SEGMENTS, TUMOUR, Segment

#: DICOM PS3.16, CID 7150 and 7151 (categories and types), CID 244 (laterality) and SNOMED CT's COVID-19.
CATEGORY_OF_ANATOMY = ("SCT", "123037004", "Anatomical Structure")
CATEGORY_OF_DISEASE = ("SCT", "49755003", "Morphologically Altered Structure")
LUNG = ("SCT", "39607008", "Lung")
RIGHT = ("SCT", "24028007", "Right")
LEFT = ("SCT", "7771000", "Left")
PNEUMONIA = ("SCT", "233604007", "Pneumonia")
COVID_19 = ("SCT", "840539006", "COVID-19")
NEOPLASM = ("SCT", "108369006", "Neoplasm")
NONE = ("", "", "")


def segment_of(identifier: str) -> Segment:
    """Return the segment with an identifier."""
    (segment,) = (each for each in (*SEGMENTS, TUMOUR) if each.identifier == identifier)
    return segment


@pytest.mark.parametrize(
    ("identifier", "name", "codes"),
    [
        ("right_lung", "Right lung", (CATEGORY_OF_ANATOMY, LUNG, RIGHT, NONE)),
        ("left_lung", "Left lung", (CATEGORY_OF_ANATOMY, LUNG, LEFT, NONE)),
        ("infection", "COVID-19 infection", (CATEGORY_OF_DISEASE, PNEUMONIA, COVID_19, LUNG)),
        ("tumour", "Lung tumour", (CATEGORY_OF_DISEASE, NEOPLASM, NONE, LUNG)),
    ],
)
def test_each_segment_has_its_codes(identifier: str, name: str, codes: tuple[tuple[str, str, str], ...]) -> None:
    segment = segment_of(identifier)
    assert segment.name == name
    assert (segment.category, segment.type, segment.modifier, segment.region) == codes


def test_the_entry_for_slicer_names_both_contexts_and_all_codes() -> None:
    assert segment_of("left_lung").terminology_entry == (
        "Segmentation category and type - DICOM master list"
        "~SCT^123037004^Anatomical Structure~SCT^39607008^Lung~SCT^7771000^Left"
        "~Anatomic codes - DICOM master list~^^~^^"
    )
    assert segment_of("infection").terminology_entry == (
        "Segmentation category and type - DICOM master list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^233604007^Pneumonia~SCT^840539006^COVID-19"
        "~Anatomic codes - DICOM master list~SCT^39607008^Lung~^^"
    )


def test_the_colours_are_those_of_okabe_and_ito() -> None:
    assert [tuple(round(255 * part) for part in segment.color) for segment in (*SEGMENTS, TUMOUR)] == [
        (86, 180, 233),  # sky blue
        (0, 114, 178),  # blue
        (213, 94, 0),  # vermilion
        (204, 121, 167),  # reddish purple
    ]
