"""How a cohort is segmented: stored with it, so that no later run continues it in another way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..segmenting import SegmentOptions
from .database import Cohort

#: Options that change the masks or the files, by their names on the command line. Where to compute is not among them.
_OPTIONS = ("threshold", "window", "skip", "surfaces", "dicom", "labelmap", "report", "viewer", "anonymous")
_KEY = "settings"


def settings_of(model: str, sha256: str | None, options: SegmentOptions) -> dict[str, Any]:
    """Return what must stay the same for all cases of a cohort, as JSON values.

    Args:
        model: Name of the model.
        sha256: SHA-256 of its weights.
        options: How to segment, and what to write.
    """
    values = {name: getattr(options, name) for name in _OPTIONS}
    return {"model": model, "sha256": sha256, **json.loads(json.dumps(values))}


def check_settings(cohort: Cohort, settings: Mapping[str, Any]) -> None:
    """Store the settings of a new cohort, and compare them with those of one that was begun before.

    Raises:
        InputError: They differ.
    """
    with cohort.writing() as connection:
        row = connection.execute("SELECT value FROM cohort WHERE key = ?", (_KEY,)).fetchone()
        if row is None:
            connection.execute("INSERT INTO cohort VALUES (?, ?)", (_KEY, json.dumps(dict(settings))))
            return
    earlier = json.loads(row["value"])
    if earlier["sha256"] != settings["sha256"]:
        raise InputError(
            f'The cohort in "{cohort.folder}" was begun with the model "{earlier["model"]}" '
            f'({_short(earlier["sha256"])}), and this is "{settings["model"]}" ({_short(settings["sha256"])}). Give '
            "the earlier model with --model, or choose another folder."
        )
    changed = [f"--{name}" for name in _OPTIONS if earlier.get(name) != settings[name]]
    if changed:
        raise InputError(
            f'The cohort in "{cohort.folder}" was begun with other values of {", ".join(changed)}. Give the same '
            "options, or choose another folder."
        )


def _short(sha256: str | None) -> str:
    return f"SHA-256 {sha256[:12]}" if sha256 else "untrained"
