"""The documentation of the networks matches the code, and its figures are legible."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from CovidSegLib.networks import PUBLISHED, build
from CovidSegLib.networks.drawing import __main__
from CovidSegLib.networks.drawing.__main__ import PAPERS, document, titles, traced
from CovidSegLib.networks.drawing.figure import draw_network, grid_label, name_of, network_figure
from CovidSegLib.networks.drawing.layers import IMAGE, trace
from CovidSegLib.networks.drawing.layout import arrange

DOCS = Path(__file__).parents[3] / "docs"
HINT = "run: python -m CovidSegLib.networks.drawing docs"


def outputs(name: str, start: str) -> list[tuple[int, ...]]:
    """Return the output shapes of the blocks whose names begin with `start`, in the order in which they run."""
    return [block.output for block in traced(name).blocks if block.name.startswith(start)]


def reads(name: str, block: str) -> dict[str, bool]:
    """Return the names of the blocks whose output a block takes, and whether it is interpolated."""
    blocks = traced(name).blocks
    (wanted,) = (each for each in blocks if each.name == block)
    return {"image" if s == IMAGE else blocks[s].name: up for s, up in wanted.sources.items()}


def test_every_published_network_is_documented() -> None:
    assert PAPERS.keys() == PUBLISHED.keys()


def test_the_committed_document_matches_the_code() -> None:
    assert (DOCS / "networks.md").read_text(encoding="utf-8") == document(), HINT


@pytest.mark.parametrize("name", PAPERS)
def test_the_committed_figure_matches_the_code(name: str, tmp_path: Path) -> None:
    """Versions of matplotlib may differ in a thousandth of the pixels."""
    draw_network(tmp_path / "now.png", titles(name)[0], traced(name))
    committed = DOCS / "networks" / f"{name}.png"
    then, now = (np.asarray(Image.open(path).convert("L"), int) for path in (committed, tmp_path / "now.png"))
    assert then.shape == now.shape, HINT
    assert (abs(then - now) > 64).mean() < 0.001, HINT
    assert now.shape[1] == 1600
    assert (now < 128).mean() > 0.005
    assert committed.stat().st_size < 120_000


@pytest.mark.parametrize("name", PAPERS)
def test_no_text_is_clipped_or_overlaps(name: str) -> None:
    figure = network_figure(titles(name)[0], traced(name))
    renderer = FigureCanvasAgg(figure).get_renderer()
    places = {text: text.get_window_extent(renderer) for text in figure.axes[0].texts if text.get_text()}
    for text, place in places.items():
        inside = place.x0 > 0 and place.y0 > 0 and place.x1 < figure.bbox.x1 and place.y1 < figure.bbox.y1
        assert inside, text.get_text()
    for (one, place), (other, beside) in combinations(places.items(), 2):
        assert not place.overlaps(beside), (one.get_text(), other.get_text())


@pytest.mark.parametrize("name", [name for name in PAPERS if name != "CHSNet"])
def test_boxes_do_not_overlap_and_lie_in_the_rows_of_their_grids(name: str) -> None:
    blocks = dict(enumerate(traced(name).blocks))
    layout = arrange(blocks)
    assert layout.boxes.keys() == blocks.keys()
    for one, other in combinations(layout.boxes.values(), 2):
        assert one.right <= other.left or other.right <= one.left or one.bottom <= other.top or other.bottom <= one.top
    tops = [layout.rows[grid].top for grid in sorted(layout.rows, reverse=True)]
    assert tops == sorted(tops)
    for i, block in blocks.items():
        row, box = layout.rows[block.grid], layout.boxes[i]
        if block.resamples and len(block.inputs) == 1:
            assert box.bottom < row.top or box.top > row.bottom
        else:
            assert row.top < box.top < row.bottom
    assert layout.skips


@pytest.mark.parametrize("name", PAPERS)
def test_parameters_add_up(name: str) -> None:
    layers = traced(name)
    with torch.device("meta"):
        network = build(name, {})
    total = sum(parameter.numel() for parameter in network.parameters())
    assert sum(block.parameters for block in layers.blocks) == layers.parameters == total


def test_levels_and_widths_of_qc_hc() -> None:
    """The table of QCHCUNet: grids 160 to 10, 32 to 512 channels in the convolutions, 64 to 1024 after the cascade."""
    grids = [(80 >> level, 160 >> level, 160 >> level) for level in range(5)]
    assert outputs("QCHCUNet", "encoder") == [(64 << level, *grid) for level, grid in enumerate(grids)]
    assert outputs("QCHCUNet", "decoder") == [(32 << level, *grids[level]) for level in (3, 2, 1, 0)]
    inputs = [block.inputs[0][0] for block in traced("QCHCUNet").blocks if block.name.startswith("encoder")]
    assert inputs == [32, 64, 128, 256, 512]
    assert reads("QCHCUNet", "head") == dict.fromkeys([f"decoder.{level}" for level in range(4)], False)
    assert reads("QCHCUNet", "decoder.3") == {"encoder.3": False, "ups.3": False}


def test_levels_of_the_other_networks() -> None:
    assert outputs("RAUNet", "encoder")[1::2] == [(16 << n, 32 >> n, 192 >> n, 192 >> n) for n in range(5)]
    assert outputs("CovidSegNet", "encoder") == [(64 << n, 64 >> n, 128 >> n, 128 >> n) for n in range(4)]
    assert outputs("FVPASPPUNet", "encoder") == [(64 << n, 8 >> n, 128 >> n, 128 >> n) for n in range(4)]
    assert outputs("RAIUNet", "encoder") == [(32 << n, 256 >> n, 256 >> n) for n in range(5)]


def test_sources_of_the_special_blocks() -> None:
    assert reads("RAUNet", "attention") == {"decoder.3": False}
    assert reads("RAUNet", "decoder.3") == {"encoder.4.1": True, "encoder.3.1": False}
    assert reads("RAIUNet", "attention.1") == {"encoder.1": False, "encoder.2": False}
    assert reads("FVPASPPUNet", "pyramid") == {"encoder.3": False}
    assert reads("CHSNet", "infection.encoder.0") == {"image": False, "lungs.head": False}
    names = [block.name for block in traced("FVPASPPUNet").blocks]
    supervised = [{names[source]: up for source, up in each.items()} for each in traced("FVPASPPUNet").outputs]
    assert supervised == [{"heads.0": False}, {"heads.1": True}, {"heads.2": True}]


def test_tracing_does_not_change_the_network() -> None:
    with torch.device("meta"):
        network = build("RAUNet", {"features": 4, "patch_size": (16, 32, 32)})
    first, second = trace(network, (16, 32, 32)), trace(network, (16, 32, 32))
    assert first == second
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RAUNet", {"residual": False, "attention": False}),
        ("QCHCUNet", {"quick_connection": False, "hypercolumns": False}),
        ("CovidSegNet", {"feature_variation": "none", "pyramid": "none"}),
    ],
)
def test_rows_of_the_papers_tables_can_be_drawn(name: str, arguments: dict[str, bool], tmp_path: Path) -> None:
    with torch.device("meta"):
        network = build(name, {"spatial_dims": 2, **arguments})
    draw_network(tmp_path / "row.png", "row", trace(network, (64, 64)))
    assert (tmp_path / "row.png").stat().st_size > 10_000


def test_labels_and_names() -> None:
    assert grid_label((80, 160, 120)) == "120×160×80"
    assert [name_of(kind) for kind in ("RABlock", "PASPP", "QuickEncoderBlock")] == [
        "RA block",
        "PASPP",
        "Quick encoder block",
    ]
    assert name_of("Conv 3×3×3, stride 2, BN, ReLU") == "Conv 3×3×3, stride 2"
    assert name_of("Conv 3×3×3, BN, ReLU") == "Conv 3×3×3"
    assert name_of("Deconv 2×2×2, stride 2") == "Deconv 2×2×2, stride 2"


def test_the_command_writes_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__main__, "draw_network", lambda path, title, layers: path.write_text(title))
    __main__.main([str(tmp_path)])
    assert (tmp_path / "networks.md").read_text(encoding="utf-8") == document()
    assert (tmp_path / "networks" / "QCHCUNet.png").read_text() == "QC-HC U-Net"
