"""The viewer in one file: what is in it, and how it behaves in a browser without network."""

from __future__ import annotations

import gzip
import json
import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from support.chromium import find_chromium, run_in_page
from support.grids import grid_of
from support.reports import small_content
from support.results import SEGMENTATION, VOLUME

from CovidSegLib.reports import thinning
from CovidSegLib.reports.content import content_of
from CovidSegLib.reports.rows import ReportLesion
from CovidSegLib.reports.thinning import HIGH, LOW, nifti, thinned
from CovidSegLib.reports.viewer import MOST_BYTES, NIIVUE, mz3, viewer_html
from CovidSegLib.segmentation import Segmentation
from CovidSegLib.surfaces import surfaces_of
from CovidSegLib.surfaces.meshes import points_of, triangles_of
from CovidSegLib.volume import Grid, Volume

SEGMENTED = replace(SEGMENTATION, provenance={"settings": {"infection_threshold": 0.4}})
ATTACK = '</script><script>document.title = "attacked"</script><img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def page() -> str:
    return viewer_html(VOLUME, SEGMENTED, content_of(VOLUME, SEGMENTED))


def without_program(page: str) -> str:
    """Return the page without NiiVue, whose comments name addresses."""
    program = gzip.decompress(NIIVUE.read_bytes()).decode("utf-8")
    assert program in page
    return page.replace(program, "")


def test_the_page_loads_nothing(page: str) -> None:
    own = without_program(page)
    assert not re.search(r"https?:|src=|href=|url\(|@import|fetch\(", own)
    assert "default-src 'none'" in own


def test_the_page_says_what_the_report_says(page: str) -> None:
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page)[1])  # type: ignore[index]
    lesions = small_content().lesions
    assert [lesion["number"] for lesion in data["lesions"]] == [lesion.number for lesion in lesions]
    assert data["lesions"][0]["ras"] == list(lesions[0].inside_ras_mm or ())
    assert data["threshold"] == 0.4
    assert "Research software. Not for diagnosis." in page


def test_texts_cannot_add_elements_to_the_page() -> None:
    lesion = ReportLesion(1, ATTACK, ATTACK, 1.0, -500.0, inside_ras_mm=(0.0, 0.0, 0.0))
    content = replace(small_content(), lesions=(lesion,), banner=ATTACK)
    own = without_program(viewer_html(VOLUME, SEGMENTED, content))
    plain = without_program(viewer_html(VOLUME, SEGMENTED, replace(small_content(), banner="x")))
    assert own.count("<script") == plain.count("<script")
    assert "<img" not in own


def test_without_probabilities_there_is_no_slider() -> None:
    page = viewer_html(VOLUME, SEGMENTED, small_content(), has_probability=False)
    assert 'id="part-probability"' not in page
    assert 'id="part-infection"' in page


@pytest.mark.parametrize("flips", [(1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_nifti_has_the_grid_and_the_values(tmp_path: Path, rng: np.random.Generator, flips: tuple[int, ...]) -> None:
    grid = grid_of((4, 5, 6), (0.7, 0.8, 2.5), (10.0, -20.0, 30.0), (10, 20, 30), flips)
    array = rng.integers(0, 256, grid.shape, np.uint8)
    path = tmp_path / "image.nii.gz"
    path.write_bytes(nifti(array, grid, 2.0, -100.0))
    image: Any = nibabel.load(path)
    np.testing.assert_allclose(image.affine, grid.affine_ras, atol=1e-4)
    np.testing.assert_allclose(image.get_fdata().T, 2.0 * array - 100.0)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_thinned_voxels_lie_where_the_originals_lie() -> None:
    """The mean of positions, weighted by the infection, does not move."""
    coarse = thinned(VOLUME, SEGMENTATION, most_voxels=2000)
    assert np.prod(coarse.grid.shape) <= 2000

    def centre(weights: np.ndarray, grid: Grid) -> np.ndarray:
        index = np.argwhere(weights > 0)
        weight = weights[weights > 0].astype(float)
        middle = (index * weight[:, None]).sum(0) / weight.sum()
        return (grid.affine_lps @ [*middle[::-1], 1.0])[:3]

    # Far less than half a voxel.
    tolerance = 0.15 * min(coarse.grid.spacing)
    expected = centre(SEGMENTATION.infection, SEGMENTATION.grid)
    np.testing.assert_allclose(centre(coarse.infection, coarse.grid), expected, atol=tolerance)
    volume = coarse.infection.sum() / 255 * coarse.grid.voxel_ml
    assert volume == pytest.approx(SEGMENTATION.infection.sum() * SEGMENTATION.grid.voxel_ml, rel=0.02)


def test_grey_values_are_hounsfield_units() -> None:
    coarse = thinned(VOLUME, SEGMENTATION)
    box = thinning._box(SEGMENTATION.lungs, VOLUME.grid)
    hu = coarse.ct * ((HIGH - LOW) / 255) + LOW
    np.testing.assert_allclose(hu, np.clip(VOLUME.array[box], LOW, HIGH), atol=3.4)


def test_a_large_ct_stays_below_the_limit(rng: np.random.Generator) -> None:
    """Noise cannot be compressed, so this is the largest page there can be."""
    shape = (208, 208, 208)
    array = rng.integers(LOW, HIGH, shape, np.int16)
    lungs = np.zeros(shape, np.uint8)
    lungs[5:-5, 5:-5, 5:-5] = 1
    infection = np.zeros(shape, bool)
    infection[100:110, 100:110, 100:110] = True
    grid = Grid(shape)
    segmentation = Segmentation(lungs, infection, np.uint8(200) * infection, grid)
    page = viewer_html(Volume(array, grid), segmentation, small_content())
    assert len(page) < MOST_BYTES


def test_surfaces_are_in_ras() -> None:
    surface = surfaces_of(SEGMENTATION)["lungs"]
    content = gzip.decompress(mz3(surface))
    magic, attributes, faces, points, skip = struct.unpack("<HHIII", content[:16])
    assert (magic, attributes, skip) == (0x5A4D, 3, 0)
    triangles = np.frombuffer(content, "<i4", 3 * faces, 16).reshape(-1, 3)
    vertices = np.frombuffer(content, "<f4", 3 * points, 16 + triangles.nbytes).reshape(-1, 3)
    np.testing.assert_array_equal(triangles, triangles_of(surface))
    np.testing.assert_allclose(vertices, points_of(surface) * [-1, -1, 1], rtol=1e-6)


#: Clicks on the last lesion, moves the sliders and presses keys, and looks at the state of NiiVue each time.
ACT = """async function () {
  var viewer = covidseg.viewer, buttons = document.querySelectorAll("#lesions button");
  var at = function () { return Array.from(viewer.frac2mm(viewer.scene.crosshairPos)).slice(0, 3); };
  var opacities = function () { return viewer.volumes.map(function (volume) { return volume.opacity; }); };
  var press = function (key) {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: key, bubbles: true }));
  };
  var slide = function (id, value) {
    var field = document.getElementById(id);
    field.value = value;
    field.dispatchEvent(new Event("input"));
  };
  var result = { volumes: viewer.volumes.length, meshes: viewer.meshes.length, first: at() };
  buttons[buttons.length - 1].click();
  result.last = at();
  result.current = document.querySelector("#lesions button[aria-current=true] span").textContent;
  press("n"); result.wrapped = at();
  slide("threshold", 0.7); result.cut = viewer.volumes[3].cal_min; result.opacities = opacities();
  document.getElementById("saved").click(); result.saved = opacities();
  press("m"); result.hidden = opacities();
  press("w"); result.window = [viewer.volumes[0].cal_min, viewer.volumes[0].cal_max];
  press("5"); result.view = viewer.opts.sliceType; press("1"); press("w"); press("m");
  viewer.drawScene();
  var copy = document.createElement("canvas"), context = copy.getContext("2d"), colours = new Set();
  copy.width = viewer.gl.canvas.width; copy.height = viewer.gl.canvas.height;
  context.drawImage(viewer.gl.canvas, 0, 0);
  var pixels = context.getImageData(0, 0, copy.width, copy.height).data;
  for (var i = 0; i < pixels.length; i += 4) { colours.add(pixels[i] + "," + pixels[i + 1] + "," + pixels[i + 2]); }
  result.colours = colours.size;
  return result;
}"""


@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium")
def test_in_a_browser_without_network(page: str, tmp_path: Path) -> None:
    (tmp_path / "viewer.html").write_text(page, encoding="utf-8")
    folder = tmp_path / "chromium"
    folder.mkdir()
    found = run_in_page(tmp_path / "viewer.html", ACT, folder)
    assert found["problems"] == []
    assert found["ready"] == "true"
    assert (found["volumes"], found["meshes"]) == (4, 2)
    lesions = small_content().lesions
    assert len(lesions) > 1
    assert found["first"] == pytest.approx(lesions[0].inside_ras_mm, abs=0.5)
    assert found["last"] == pytest.approx(lesions[-1].inside_ras_mm, abs=0.5)
    assert found["current"] == str(lesions[-1].number)
    assert found["wrapped"] == pytest.approx(lesions[0].inside_ras_mm, abs=0.5)
    assert found["cut"] == pytest.approx(255 * 0.7)
    assert found["opacities"] == pytest.approx([1, 0.15, 0, 0.55])
    assert found["saved"] == pytest.approx([1, 0.15, 0.55, 0])
    assert found["hidden"] == pytest.approx([1, 0, 0, 0])
    assert found["window"] == [-160, 240]
    assert found["view"] == 4
    assert found["colours"] > 50
