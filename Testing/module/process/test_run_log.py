"""The log of a run, without names."""

from pathlib import Path

import pytest

from CovidSegModule.process.run_log import last_words, run_log, scrub


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('File "/home/anna/data/Doe_John/ct.nrrd", line 3', 'File ".../ct.nrrd", line 3'),
        (r"cannot open C:\Users\Anna\scans\ct.nrrd", "cannot open .../ct.nrrd"),
        (r"\\server\share\Doe\x.dcm is missing", ".../x.dcm is missing"),
        ("3/4 of the slices, see https://covidseg.org", "3/4 of the slices, see https://covidseg.org"),
    ],
)
def test_folders_are_removed(text, expected):
    assert scrub(text) == expected


def test_names_are_removed():
    log = run_log(1, f"{Path.home()}/x.py: Doe^John failed, doe^john", "1.2", "qc", "cpu", ["Doe^John"])
    assert "doe" not in log.lower()
    assert str(Path.home()) not in log
    assert "CovidSeg 1.2, model qc, device cpu, exit code 1" in log


def test_last_words():
    assert last_words("Traceback\n  File x\nRuntimeError: too small\n\n") == "RuntimeError: too small"
    assert last_words("") == ""
