"""Names that are not valid UTF-8, as on disks of old computers, in every place of a run."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk
from support.command_line import TIMEOUT, events, start
from support.dicom_factory import write_series
from support.grids import chest
from support.phantoms import UPPER, phantom_on

from CovidSegLib import models, pipeline
from CovidSegLib.cli.main import DONE, main
from CovidSegLib.outputs import FILES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
NAME = os.fsdecode(b"Z\xfcrich\x1b")
SHOWN = r"Z\xfcrich\x1b"


@pytest.mark.parametrize("kind", ["json", "none"])
def test_input_output_and_model_may_have_them(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / NAME
    folder.mkdir()
    sitk.WriteImage(phantom_on(UPPER).volume.to_image(), str(tmp_path / "ct.nii.gz"))
    (tmp_path / "ct.nii.gz").rename(folder / f"{NAME}.nii.gz")
    shutil.copytree(models.find_model().folder, folder / "model" / NAME)
    out = folder / "out" / NAME
    process = start(
        "segment", folder / f"{NAME}.nii.gz", "-o", out, "--model", folder / "model" / NAME, "--progress", kind
    )
    printed, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, errors) == (DONE, b"" if kind == "json" else errors), errors
    assert {path.name for path in out.iterdir()} == set(FILES.values())
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["provenance"]["model"]["name"] == SHOWN
    assert NAME not in json.dumps(report, ensure_ascii=False)
    header = (out / FILES["segmentation"]).read_bytes().partition(b"\n\n")[0].decode()
    assert rf"CovidSeg.model:{SHOWN}|" in header.replace("\\\\", "\\")
    if kind == "json":
        assert events(printed)[-1]["output"] == str(out)  # exactly, for the program that asked for it
    else:
        assert SHOWN in printed.decode()


def test_the_uid_of_the_series_is_left_out_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = phantom_on(UPPER).volume
    write_series(tmp_path / "ct", volume.array, volume.grid, uid="1.2.826.0.1.4711")
    monkeypatch.setattr(pipeline, "segment", lambda volume, model, **options: chest(volume.grid)[1])
    for number, extra in enumerate(([], ["--anonymous"])):
        out = tmp_path / str(number)
        arguments = ["segment", str(tmp_path / "ct"), "-o", str(out), "--skip", "overview", "--skip", "surfaces"]
        assert main([*arguments, *extra]) == DONE
        found = [path.name for path in out.iterdir() if b"1.2.826.0.1.4711" in path.read_bytes()]
        assert found == ([] if extra else ["report.json"])
        assert json.loads((out / "report.json").read_text())["input"]["kernel"] == "B40f"
