"""Terms of CovidSegLib in the user's language. The library itself writes English, which files keep."""

from __future__ import annotations

from functools import cache

from slicer.i18n import tr as _


def translated(text: str) -> str:
    """Return a term or sentence of the library in the user's language; the text itself if it is not known."""
    return _terms().get(text, text)


@cache
def _terms() -> dict[str, str]:
    return {
        # stages of a run
        "Starting": _("Starting"),
        "Reading the CT": _("Reading the CT"),
        "Preparing the segmentation": _("Preparing the segmentation"),
        "Checking the CT": _("Checking the CT"),
        "Loading the model": _("Loading the model"),
        "Finding the lungs": _("Finding the lungs"),
        "Finding the infection": _("Finding the infection"),
        "Finding lungs and infection": _("Finding lungs and infection"),
        "Finishing the masks": _("Finishing the masks"),
        "Masks are ready": _("Masks are ready"),
        "Measuring": _("Measuring"),
        "Saving the segmentation": _("Saving the segmentation"),
        "Making the surfaces": _("Making the surfaces"),
        "Saving the report": _("Saving the report"),
        "Drawing the overview": _("Drawing the overview"),
        "Saving the results": _("Saving the results"),
        # stages of a comparison
        "Reading the current CT": _("Reading the current CT"),
        "Reading the earlier CT": _("Reading the earlier CT"),
        "Preparing the registration": _("Preparing the registration"),
        "Aligning the lungs": _("Aligning the lungs"),
        "Following the breathing": _("Following the breathing"),
        "Registered": _("Registered"),
        "Comparing the lesions": _("Comparing the lesions"),
        "Resampling the earlier CT": _("Resampling the earlier CT"),
        "Saving the earlier CT": _("Saving the earlier CT"),
        "Saving the lesions": _("Saving the lesions"),
        "Drawing the fit": _("Drawing the fit"),
        # stages of an export
        "Reading the result": _("Reading the result"),
        "Drawing the pictures": _("Drawing the pictures"),
        "Writing the report": _("Writing the report"),
        "Writing the viewer": _("Writing the viewer"),
        "Making DICOM objects": _("Making DICOM objects"),
        "Saving DICOM objects": _("Saving DICOM objects"),
        # regions, and as they are stored in the table of the numbers
        "Right lung": _("Right lung"),
        "Left lung": _("Left lung"),
        "Both lungs": _("Both lungs"),
        "right lung": _("Right lung"),
        "left lung": _("Left lung"),
        "both lungs": _("Both lungs"),
        "right upper zone": _("Right upper zone"),
        "right middle zone": _("Right middle zone"),
        "right lower zone": _("Right lower zone"),
        "left upper zone": _("Left upper zone"),
        "left middle zone": _("Left middle zone"),
        "left lower zone": _("Left lower zone"),
        "right upper lobe": _("Right upper lobe"),
        "right middle lobe": _("Right middle lobe"),
        "right lower lobe": _("Right lower lobe"),
        "left upper lobe": _("Left upper lobe"),
        "left lower lobe": _("Left lower lobe"),
        # lobes of lesions
        "right upper": _("right upper"),
        "right middle": _("right middle"),
        "right lower": _("right lower"),
        "left upper": _("left upper"),
        "left lower": _("left lower"),
        # severity scores
        "CT severity score": _("CT severity score"),
        "Sum over the five lobes: 0 not involved, 1 below 5 %, 2 from 5 to 25 %, 3 below 50 %, 4 from 50 to 75 %, "
        "5 above 75 % of the lobe.": _(
            "Sum over the five lobes: 0 not involved, 1 below 5 %, 2 from 5 to 25 %, 3 below 50 %, 4 from 50 to 75 %, "
            "5 above 75 % of the lobe."
        ),
        "Six-zone score": _("Six-zone score"),
        "Sum over the six zones: 0 not involved, 1 below 25 %, 2 from 25 %, 3 from 50 %, 4 from 75 % of the zone. "
        "The zones are thirds of the height of each lung.": _(
            "Sum over the six zones: 0 not involved, 1 below 25 %, 2 from 25 %, 3 from 50 %, 4 from 75 % of the zone. "
            "The zones are thirds of the height of each lung."
        ),
    }
