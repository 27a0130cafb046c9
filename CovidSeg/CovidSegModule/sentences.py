"""Warnings of the child process, and its refusals of a CT, in the user's language.

The library writes English sentences, which files keep. Here are the same sentences with names in the place of what
varies. A sentence that is not listed is shown as it is.
"""

from __future__ import annotations

import re
from functools import cache

from slicer.i18n import tr as _


def translated_sentence(text: str) -> str:
    """Return a sentence of the library in the user's language; the text itself if it is not known.

    >>> translated_sentence("The slices are 7.5 mm apart: small lesions may be missed, and volumes are coarse.")
    'The slices are 7.5 mm apart: small lesions may be missed, and volumes are coarse.'
    """
    for pattern, translation in _patterns():
        match = pattern.fullmatch(text)
        if match:
            values = match.groupdict()
            if "sentence" in values:
                values["sentence"] = translated_sentence(values["sentence"])
            return translation.format(**values)
    return text


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    return [(_pattern(english), translation) for english, translation in sentences().items()]


def _pattern(english: str) -> re.Pattern[str]:
    """Return what a sentence looks like in which each name in braces stands for any text."""
    parts = re.split(r"\{(\w+)\}", english)
    names = [f"(?P<{name}>.+)" for name in parts[1::2]]
    return re.compile("".join(map("".join, zip(map(re.escape, parts[::2]), [*names, ""], strict=True))), re.DOTALL)


def sentences() -> dict[str, str]:
    """Return the sentences in English, with what they are in the user's language."""
    return {
        "The slices are {mm} mm apart: small lesions may be missed, and volumes are coarse.": _(
            "The slices are {mm} mm apart: small lesions may be missed, and volumes are coarse."
        ),
        "The file has no position and a voxel size of exactly 1 × 1 × 1 mm, as files do that have lost their "
        "geometry. Check the voxel size before you trust volumes in ml.": _(
            "The file has no position and a voxel size of exactly 1 × 1 × 1 mm, as files do that have lost their "
            "geometry. Check the voxel size before you trust volumes in ml."
        ),
        "Hardly any voxel has the HU of soft tissue. The HU of this image may be shifted or wrong.": _(
            "Hardly any voxel has the HU of soft tissue. The HU of this image may be shifted or wrong."
        ),
        "The scan begins within the lungs, below their apices. All volumes lack the part outside the scan.": _(
            "The scan begins within the lungs, below their apices. All volumes lack the part outside the scan."
        ),
        "The scan ends within the lungs, above their bases. All volumes lack the part outside the scan.": _(
            "The scan ends within the lungs, above their bases. All volumes lack the part outside the scan."
        ),
        "The right lung was not found. Check whether it is absent, collapsed or missed.": _(
            "The right lung was not found. Check whether it is absent, collapsed or missed."
        ),
        "The left lung was not found. Check whether it is absent, collapsed or missed.": _(
            "The left lung was not found. Check whether it is absent, collapsed or missed."
        ),
        "The lungs measure {ml} ml, which is little for an adult. Check that they are complete.": _(
            "The lungs measure {ml} ml, which is little for an adult. Check that they are complete."
        ),
        "{ml} ml outside the chest looked like lung and were left out. Check that the lungs are complete, and that "
        "nothing else is marked as lung.": _(
            "{ml} ml outside the chest looked like lung and were left out. Check that the lungs are complete, and "
            "that nothing else is marked as lung."
        ),
        'The networks of "{model}" are untrained. Their masks are meaningless: this run shows only that the networks '
        "work, and how fast.": _(
            'The networks of "{model}" are untrained. Their masks are meaningless: this run shows only that the '
            "networks work, and how fast."
        ),
        "{ml} ml of infection lie outside the lungs and are not counted.": _(
            "{ml} ml of infection lie outside the lungs and are not counted."
        ),
        "The headers lack the rescaling to HU, so the stored values were used as HU. Check them.": _(
            "The headers lack the rescaling to HU, so the stored values were used as HU. Check them."
        ),
        "The CT was stored with lossy compression. Its HU may be inaccurate.": _(
            "The CT was stored with lossy compression. Its HU may be inaccurate."
        ),
        "The file does not state the position and orientation of the patient. Right and left may be swapped: check "
        "them.": _(
            "The file does not state the position and orientation of the patient. Right and left may be swapped: "
            "check them."
        ),
        "This is a synthetic chest CT that CovidSeg has made, not a patient's.": _(
            "This is a synthetic chest CT that CovidSeg has made, not a patient's."
        ),
        "The current CT: {sentence}": _("The current CT: {sentence}"),
        "The earlier CT: {sentence}": _("The earlier CT: {sentence}"),
        "The lungs of the two CTs fit only roughly (Dice {dice}). Look at the picture of the fit before you rely on "
        "the list of lesions.": _(
            "The lungs of the two CTs fit only roughly (Dice {dice}). Look at the picture of the fit before you rely "
            "on the list of lesions."
        ),
        "The earlier CT shows only {percent} % of the current lungs. Lesions elsewhere are listed as not covered.": _(
            "The earlier CT shows only {percent} % of the current lungs. Lesions elsewhere are listed as not covered."
        ),
        "The current lungs have {percent} % more volume than the earlier ones. Breathing changes the density of the "
        "lungs and the share of infection.": _(
            "The current lungs have {percent} % more volume than the earlier ones. Breathing changes the density of "
            "the lungs and the share of infection."
        ),
        "The current lungs have {percent} % less volume than the earlier ones. Breathing changes the density of the "
        "lungs and the share of infection.": _(
            "The current lungs have {percent} % less volume than the earlier ones. Breathing changes the density of "
            "the lungs and the share of infection."
        ),
        "Both CTs were made on the same day.": _("Both CTs were made on the same day."),
        "The time between the CTs is not known.": _("The time between the CTs is not known."),
        "The slices of the CTs differ: {now} mm now and {before} mm before. "
        "Small lesions are blurred in thick slices.": _(
            "The slices of the CTs differ: {now} mm now and {before} mm before. "
            "Small lesions are blurred in thick slices."
        ),
        "The CTs were reconstructed with different kernels, {now} now and {before} before, which changes the density "
        "of what is small.": _(
            "The CTs were reconstructed with different kernels, {now} now and {before} before, which changes the "
            "density of what is small."
        ),
        "The CTs were segmented with different models, {now} now and {before} before. Part of the difference may come "
        "from that.": _(
            "The CTs were segmented with different models, {now} now and {before} before. Part of the difference may "
            "come from that."
        ),
        "The infection was cut at different thresholds, {now} now and {before} before. Part of the difference may "
        "come from that.": _(
            "The infection was cut at different thresholds, {now} now and {before} before. Part of the difference may "
            "come from that."
        ),
        "The masks of the current CT were edited by hand, those of the other were not.": _(
            "The masks of the current CT were edited by hand, those of the other were not."
        ),
        "The masks of the earlier CT were edited by hand, those of the other were not.": _(
            "The masks of the earlier CT were edited by hand, those of the other were not."
        ),
        # refusals
        "The image is a single slice, but a chest CT is needed. Select the complete series.": _(
            "The image is a single slice, but a chest CT is needed. Select the complete series."
        ),
        "The voxel size of {size} mm in the file's header cannot be right. Export the CT again from the original.": _(
            "The voxel size of {size} mm in the file's header cannot be right. Export the CT again from the original."
        ),
        "The position or orientation in the header is not a number (NaN or infinite). Export the CT again from the "
        "original.": _(
            "The position or orientation in the header is not a number (NaN or infinite). Export the CT again from "
            "the original."
        ),
        "The image's axes are not at right angles (sheared, as by a gantry tilt). Resample the CT to a straight grid, "
        "or export it without tilt, and try again.": _(
            "The image's axes are not at right angles (sheared, as by a gantry tilt). Resample the CT to a straight "
            "grid, or export it without tilt, and try again."
        ),
        "The image of {size} voxels is too large to be read. "
        "Check that it is the right file, or export fewer slices.": _(
            "The image of {size} voxels is too large to be read. "
            "Check that it is the right file, or export fewer slices."
        ),
        "The image contains values that are not numbers (NaN or infinite). Export the CT again.": _(
            "The image contains values that are not numbers (NaN or infinite). Export the CT again."
        ),
        "The image is empty: every voxel has the value {value}. Check that it is the right file.": _(
            "The image is empty: every voxel has the value {value}. Check that it is the right file."
        ),
        "The image is a segmentation, not a CT. Select the CT that it belongs to.": _(
            "The image is a segmentation, not a CT. Select the CT that it belongs to."
        ),
        "The image contains grey values ({low} to {high}) instead of Hounsfield units. Use the original DICOM images, "
        "or give the HU of black and white with --window LOW HIGH (for example --window -1000 400).": _(
            "The image contains grey values ({low} to {high}) instead of Hounsfield units. Use the original DICOM "
            "images, or give the HU of black and white with --window LOW HIGH (for example --window -1000 400)."
        ),
        "The image's values ({low} to {high}) are not Hounsfield units: there is no air near -1000 HU. Check that it "
        "is a CT of the chest, and export it again with its rescaling to HU.": _(
            "The image's values ({low} to {high}) are not Hounsfield units: there is no air near -1000 HU. Check that "
            "it is a CT of the chest, and export it again with its rescaling to HU."
        ),
        "No lungs were found in this image ({ml} ml look like lung). Check that it is a CT of the chest.": _(
            "No lungs were found in this image ({ml} ml look like lung). Check that it is a CT of the chest."
        ),
        "The lungs of the two CTs do not correspond (Dice {dice}). Check that both are of the same patient and show "
        "the whole lungs.": _(
            "The lungs of the two CTs do not correspond (Dice {dice}). Check that both are of the same patient and "
            "show the whole lungs."
        ),
    }
