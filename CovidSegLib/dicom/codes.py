"""Coded concepts of the exported DICOM objects.

Codes are those of the DICOM standard (PS3.16, context groups 6102, 6171, 7150 and 7162) and of SNOMED CT. The measures
that no standard scheme has a code for are in the private scheme of CovidSeg.
"""

from __future__ import annotations

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

#: Designator of CovidSeg's own coding scheme. "99" at the start marks a private scheme (PS3.16, section 8.2).
PRIVATE_SCHEME = "99COVIDSEG"
PRIVATE_SCHEME_NAME = "CovidSeg measurements"

ANATOMY = codes.SCT.AnatomicalStructure
ALTERED = codes.SCT.MorphologicallyAbnormalStructure
LUNG = codes.SCT.Lung
SIDES = {"right": codes.SCT.Right, "left": codes.SCT.Left}
ZONES = {
    "upper": codes.SCT.UpperZoneOfLung,
    "middle": codes.SCT.MiddleZoneOfLung,
    "lower": codes.SCT.LowerZoneOfLung,
}
PNEUMONIA = Code("233604007", "SCT", "Pneumonia")
COVID_19 = Code("840539006", "SCT", "COVID-19")
GROUND_GLASS = codes.DCM.GroundGlassOpacity
CONSOLIDATION = Code("95436008", "SCT", "Lung consolidation")
LESION = codes.SCT.Lesion

ARTIFICIAL_INTELLIGENCE = codes.DCM.ArtificialIntelligence
PROCESSING_EQUIPMENT = codes.DCM.ProcessingEquipment
CT_CHEST = Code("24627-2", "LN", "CT Chest Report")

VOLUME = codes.SCT.Volume
ATTENUATION = codes.DCM.AttenuationCoefficient
MEAN = codes.SCT.Mean
MILLILITRE = Code("ml", "UCUM", "milliliter")
PERCENT = codes.UCUM.Percent
HOUNSFIELD = codes.UCUM.HounsfieldUnit


def private(value: str, meaning: str) -> Code:
    """Return a concept of CovidSeg's own scheme."""
    return Code(value, PRIVATE_SCHEME, meaning)


INFECTION_VOLUME = private("infection_volume", "Volume of infection in the region")
INVOLVEMENT = private("involvement", "Infected share of the region")
INFECTION_ATTENUATION = private("infection_attenuation", "Attenuation coefficient of infection in the region")
GROUND_GLASS_VOLUME = private("ground_glass_volume", "Volume of ground glass opacity in the region")
CONSOLIDATION_VOLUME = private("consolidation_volume", "Volume of consolidation in the region")
