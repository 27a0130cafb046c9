"""Cohorts with a few made-up cases."""

from __future__ import annotations

from pathlib import Path

from CovidSegLib.cohorts.cases import Finding, NewCase, add_cases, finish_case, start_case
from CovidSegLib.cohorts.database import Cohort, create_cohort

LESION = {"number": 1, "lung": "right", "volume_ml": 12.5, "mean_hu": -430.0, "centre_r_mm": 40.0}


def cohort_of(folder: Path, *ids: str) -> Cohort:
    """Return a new cohort of waiting cases."""
    cohort = create_cohort(folder)
    add_cases(cohort, [NewCase(name, f"identity of {name}", f"{name}.nii.gz") for name in ids])
    return cohort


def finding(involvement: float, **numbers: float) -> Finding:
    """Return the result of a made-up case, with one lesion."""
    both = {"both_volume_ml": 4000.0, "both_infection_ml": 40 * involvement, "both_involvement_percent": involvement}
    return Finding({**both, **numbers}, [LESION], "model", "0" * 64, "1.0", "cpu", ["A warning."])


def finish(cohort: Cohort, name: str, involvement: float, seconds: float = 10.0, **numbers: float) -> None:
    """Run a case to its end."""
    start_case(cohort, name)
    finish_case(cohort, name, finding(involvement, **numbers), seconds)
