"""The files of readers: exact, complete or not there, without names of patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.grids import chest

from CovidSegLib.cohorts.corrections import Correction, new_correction_path, read_correction, write_correction
from CovidSegLib.errors import InputError
from CovidSegLib.outputs.stored_result import read_masks, read_result
from CovidSegLib.storage import atomic


def correction_of(rejected: bool = True) -> Correction:
    volume, segmentation = chest()
    masks = {**segmentation.segments}
    masks["left_lung"] = masks["left_lung"] | np.roll(masks["right_lung"], 1, 2)  # lungs may overlap while edited
    if rejected:
        masks["rejected"] = np.roll(masks["infection"], 2, 1)
    lesions = '{"next":3,"lesions":[[1,"accepted",[[1,2,3,4.5]]]]}'
    tags = {"CovidSeg.Lesions": lesions, "CovidSeg.Reader": r'"a\u007cü\n"'}
    return Correction(masks, volume.grid, tags)


def test_a_correction_is_read_back_as_it_was(tmp_path: Path) -> None:
    correction, path = correction_of(), tmp_path / "new" / "folder" / "a.seg.nrrd"
    write_correction(path, correction)
    again = read_correction(path)
    assert list(again.masks) == list(correction.masks)
    assert all(np.array_equal(again.masks[name], mask) for name, mask in correction.masks.items())
    assert again.tags == correction.tags
    assert np.allclose(again.grid.affine_lps, correction.grid.affine_lps)
    assert again.infection_ml == pytest.approx(correction.masks["infection"].sum() * correction.grid.voxel_ml)
    assert [file.name for file in path.parent.iterdir()] == ["a.seg.nrrd"]


def test_other_commands_read_it_as_a_result(tmp_path: Path) -> None:
    path = tmp_path / "a.seg.nrrd"
    correction = correction_of(rejected=False)
    write_correction(path, correction)
    volume, _ = chest()
    assert np.array_equal(read_masks(path).infection, correction.masks["infection"])
    assert np.array_equal(read_result(path, volume).infection, correction.masks["infection"])


def test_a_failure_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.seg.nrrd"
    write_correction(path, correction_of())
    before = path.read_bytes()
    monkeypatch.setattr(atomic.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(InputError, match="The disk is full"):
        write_correction(path, correction_of(rejected=False))
    assert path.read_bytes() == before and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [None, b"", b"NRRD0004\n\n", "half"])
def test_a_damaged_or_missing_file_is_one_sentence(tmp_path: Path, content: bytes | str | None) -> None:
    path = tmp_path / "a.seg.nrrd"
    if content == "half":
        write_correction(path, correction_of())
        content = path.read_bytes()[:-200]
    if content is not None:
        path.write_bytes(content)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"^[^\n]+\.$"):
        read_correction(path)


def test_file_names_hold_neither_names_of_patients_nor_odd_characters(tmp_path: Path) -> None:
    path = new_correction_path(tmp_path, "DOE^JANE 1970", "Dr. Müller / Ärztin")
    other = new_correction_path(tmp_path, "DOE^JANE 1970", "Dr. Müller / Ärztin")
    assert path != other and path.parent == other.parent
    assert "DOE" not in str(path.relative_to(tmp_path)).upper()
    assert path.parent.name.startswith("Dr-M-ller-rztin-")
    assert new_correction_path(tmp_path, "a", "Anna").parent != new_correction_path(tmp_path, "a", "anna").parent
    assert all(character.isalnum() or character in "-./" for character in path.relative_to(tmp_path).as_posix())
