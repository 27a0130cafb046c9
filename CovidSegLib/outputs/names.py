"""Names of the files of a result."""

#: Names of the files. The keys are those of `files` in the report.
FILES = {
    "segmentation": "segmentation.seg.nrrd",
    "labels": "labels.nii.gz",
    "infection_probability": "infection_probability.nii.gz",
    "lungs_surface": "lungs.vtp",
    "infection_surface": "infection.vtp",
    "report": "report.json",
    "table": "report.csv",
    "overview": "overview.png",
}
#: Files that replace the surface of both lungs if `surfaces` is "segments".
LUNG_SURFACES = {"right_lung_surface": "right_lung.vtp", "left_lung_surface": "left_lung.vtp"}
#: Files of a result of lung tumours, which has no others.
TUMOUR_FILES = {
    "segmentation": "tumour.seg.nrrd",
    "mask": "tumour.nii.gz",
    "probability": "tumour_probability.nii.gz",
    "report": "tumour.json",
}
#: Keys of the files that `skip` leaves out, by its names.
GROUPS = {
    "labels": ("labels",),
    "surfaces": ("lungs_surface", "infection_surface", *LUNG_SURFACES),
    "overview": ("overview",),
}
#: Files that `reports` makes from a result. Replacing the result removes them, because they show the old one.
DERIVED = {"report_html": "report.html", "report_pdf": "report.pdf", "viewer": "viewer.html"}
