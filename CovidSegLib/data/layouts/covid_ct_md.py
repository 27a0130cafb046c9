"""COVID-CT-MD: whole DICOM scans, one folder each, and labels.json, which lists infected slices from the head.

There are no masks: see `clean_slices`. Each scan is a patient.
"""

from __future__ import annotations

from pathlib import Path

from ..entry import Entry, Layout, SliceLabels
from ..files import plain_name, read_json, unreadable

NAME, LABELS, PURPOSE = "covid_ct_md", "labels.json", "lists the infected slices"


def find(folder: Path) -> list[Entry] | None:
    """Return the whole scans, in the order of the labels."""
    labels = folder / LABELS
    if folder.name != NAME and not labels.is_file():
        return None
    try:
        return [
            Entry(
                plain_name(name),
                name,
                {"ct": folder / name},
                slice_labels=SliceLabels(
                    str(facts.get("diagnosis", "")), tuple(int(number) for number in facts["infected_slices"]), labels
                ),
            )
            for name, facts in read_json(labels, PURPOSE)["cases"].items()
        ]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise unreadable(labels, PURPOSE) from error


LAYOUT = Layout(NAME, "labels.json; one folder of DICOM files per scan", find)
