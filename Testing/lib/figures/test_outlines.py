"""Tests of the outlines of masks: where they lie, and that they keep little memory."""

import tracemalloc

import numpy as np
import pytest
from matplotlib.figure import Figure

from CovidSegLib.figures.outlines import draw_outline, outlines_of


def area(line):
    """The area that a closed line encloses, by the shoelace formula."""
    rows, columns = line[:-1].T
    return abs(np.dot(rows, np.roll(columns, 1)) - np.dot(columns, np.roll(rows, 1))) / 2


def test_an_outline_lies_halfway_around_the_pixels_also_at_the_border():
    mask = np.zeros((6, 8), bool)
    mask[0:4, 5:8] = True
    [line] = outlines_of(mask)
    np.testing.assert_allclose((line.min(0), line.max(0)), [(-0.5, 4.5), (3.5, 7.5)])
    assert area(line) == pytest.approx(4 * 3 - 4 / 8)  # its corners are cut off


def test_holes_and_pieces_have_outlines_of_their_own_and_nothing_has_none():
    mask = np.zeros((20, 20), bool)
    mask[2:12, 2:12] = True
    mask[5:8, 5:8] = False
    mask[15, 15] = True
    assert sorted(round(area(line), 3) for line in outlines_of(mask)) == [0.5, 8.5, 99.5]
    assert outlines_of(np.zeros((4, 4), bool)) == []


def test_an_outline_is_drawn_at_its_place_in_millimetres():
    axes = Figure().add_subplot()
    mask = np.zeros((10, 10), bool)
    mask[2:4, 6:9] = True
    draw_outline(axes, mask, "red", pixel=(2.0, 0.5), first=(0.5, 0.5))
    [path] = axes.collections[0].get_paths()
    np.testing.assert_allclose((path.vertices.min(0), path.vertices.max(0)), [(3.0, 4.0), (4.5, 8.0)])


def test_outlines_keep_little_memory():
    mask = np.hypot(*np.mgrid[-256:256, -256:256]) < 200
    axes = Figure().add_subplot()
    draw_outline(axes, mask, "red")
    tracemalloc.start()
    try:
        for _ in range(5):
            draw_outline(axes, mask, "red")
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()
