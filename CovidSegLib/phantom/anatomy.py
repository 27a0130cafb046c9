"""Anatomy of the synthetic patient, who lies supine with raised arms.

All coordinates are LPS in mm. The trachea divides at (0, 8, 0).
"""

from __future__ import annotations

import numpy as np

from .canvas import Canvas, Points, Shape, ellipsoid, path, tube
from .tissues import AIR, BLOOD, CORTEX, FAT, LIVER, MARROW, MUSCLE

#: Opposite corners of a box that contains the rib cage.
THORAX = (np.array([-150.0, -112.0, -230.0]), np.array([150.0, 112.0, 112.0]))
#: Height (z) of the apices of the lungs.
APEX = 92.0

AIRWAYS = [
    *path((0, -14, 135, 8.5), (0, -8, 85, 8.5), (-1, 4, 20, 8.5), (0, 8, 2, 8.5)),
    *path((-2, 8, 3, 7), (-20, 12, -18, 6.5), (-34, 16, -40, 5)),
    *path((-20, 12, -18, 5), (-42, 8, -12, 4)),
    *path((2, 8, 3, 6.5), (24, 14, -18, 6), (41, 20, -34, 5)),
    *path((30, 16, -24, 4.5), (46, 4, -22, 3.5)),
]
GREAT_VESSELS = [
    *path((-12, -22, -32, 15), (-16, -28, 0, 15), (-6, -20, 25, 14), (12, 4, 32, 12), (22, 28, 22, 12)),
    *path((22, 28, 22, 12), (21, 38, -30, 11.5), (16, 38, -100, 11), (4, 30, -170, 10), (2, 22, -260, 9)),
    *path((-24, -10, -40, 10), (-24, -14, 10, 9), (-24, -22, 50, 8), (-30, -22, 85, 6)),
    *path((6, -30, -40, 14), (12, -20, -12, 13), (24, 4, -6, 11), (40, 14, -14, 8)),
    *path((12, -14, -14, 12), (-14, -4, -16, 10), (-36, 4, -20, 9), (-42, 8, -30, 7)),
    *path((-10, -22, 30, 6), (-16, -20, 60, 6), (-30, -18, 105, 5)),
    *path((12, 2, 34, 5), (16, 2, 70, 5), (26, 2, 110, 4)),
    *path((4, -12, 36, 4.5), (16, -14, 70, 4.5), (24, -16, 110, 4)),
    *path((-22, -34, 45, 6), (10, -36, 62, 5), (40, -28, 84, 5)),
    *path((-20, -2, -75, 12), (-16, 6, -120, 12), (-16, 14, -260, 11)),
    *path((-20, 14, -42, 8), (-42, 14, -48, 6)),
    *path((22, 16, -42, 8), (44, 16, -50, 6)),
    *path((2, 24, 60, 6), (3, 26, -30, 6), (6, 22, -100, 7)),
]
HEART = [
    ellipsoid((-10, -28, -58), (36, 42, 48)),
    ellipsoid((28, -30, -70), (58, 43, 42), turn=-35, tilt=22),
    ellipsoid((6, -38, -82), (48, 36, 28), turn=-10),
    ellipsoid((0, 12, -44), (36, 20, 24)),
]
#: Organs below the diaphragm: shape, HU, and for hollow organs the y coordinate in front of which they contain gas.
ABDOMEN: list[tuple[Shape, float, float | None]] = [
    (ellipsoid((58, -12, -150), (42, 48, 40), turn=20), 32, -38),
    (ellipsoid((92, 42, -158), (24, 38, 34)), 50, None),
    (ellipsoid((-58, 44, -225), (28, 26, 45)), 32, None),
    (ellipsoid((58, 44, -222), (28, 26, 48)), 32, None),
    (ellipsoid((96, -40, -185), (22, 26, 22)), 25, -50),
    (ellipsoid((20, -62, -215), (60, 18, 14)), 25, -64),
]


def body_depth(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the depth below the skin in mm."""
    width = _along(z, (-260, 154), (-120, 160), (-20, 164), (50, 176), (85, 190), (112, 180), (135, 75), (170, 66))
    front = _along(z, (-260, -108), (-180, -112), (-60, -112), (0, -104), (50, -84), (90, -58), (135, -62))
    back = _along(z, (-260, 104), (-100, 112), (40, 108), (90, 92), (135, 66))
    middle, half = (front + back) / 2, (back - front) / 2
    across, along = (x / width) ** 2, ((y - middle) / half) ** 2
    furrow = 7 * np.exp(-((x / 16) ** 2)) * np.clip((y - middle) / half, 0, 1)
    return (
        _level(
            across**1.2 + along**1.2,
            2.4 * across**1.2 / (np.abs(x) + 1e-3),
            2.4 * along**1.2 / (np.abs(y - middle) + 1e-3),
        )
        - furrow
    )


def cavity_depth(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return the depth in mm below the inner surface of the rib cage, on the side of the point."""
    taper = _along(
        z, (-230, 1.02), (-110, 1.02), (-60, 0.99), (-20, 0.94), (20, 0.87), (48, 0.77), (68, 0.7), (92, 0.62)
    )
    cap = np.clip((APEX - z) / 55, 1e-4, 1)
    dome = taper * np.sqrt(cap * (2 - cap))
    rise = np.clip((z + 40) / (APEX + 40), 0, 1)
    side, depth = 70 * dome * np.where(x < 0, np.float32(1), np.float32(0.96)), 87 * dome
    back = y - (2 + 20 * rise**1.6)
    centre = 38 + 32 * taper**1.5 + 0.3 * np.minimum(back, 0) * dome
    out = np.abs(x) - centre
    across, along = (out / side) ** 2, (back / depth) ** 2
    return _level(across + along**1.25, 2 * out / side**2, 2.5 * along**1.25 / (np.abs(back) + 1e-3))


def diaphragm_height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the z coordinate of the diaphragm's upper surface: higher on the right, with a deep posterior recess."""
    top = np.where(x < 0, np.float32(-92), np.float32(-100))
    lateral = ((np.abs(x) - 62) / 70) ** 2
    sagittal = np.where(y < -24, ((y + 24) / 62) ** 2 * 24, ((y + 24) / 106) ** 2 * 76)
    return top - 34 * lateral - sagittal


def lung_depth(x: np.ndarray, y: np.ndarray, z: np.ndarray, cavity: np.ndarray | None = None) -> np.ndarray:
    """Return the depth in mm below the pleura, before `mediastinal_shapes` are excluded."""
    depth = cavity_depth(x, y, z) if cavity is None else cavity
    depth = np.minimum(np.minimum(depth, APEX - z), (z - diaphragm_height(x, y)) * np.float32(0.75))
    profile = _along(y, (-80, 1.2), (-68, 2.5), (-40, 19), (-10, 25), (12, 26), (30, 19), (48, 21), (90, 25))
    upper = np.clip((z - 20) / 60, 0, 1) * 6 * np.clip((y + 70) / 30, 0, 1)
    return np.minimum(depth, np.abs(x) - (profile + upper))


def mediastinal_shapes() -> list[tuple[Shape, float]]:
    """Return heart, great vessels and airways, which displace the lungs, with the thickness in mm of wall or fat."""
    heart = [(shape, 2.0) for shape in HEART]
    return heart + [(shape, 1.5) for shape in GREAT_VESSELS] + [(shape, 1.8) for shape in AIRWAYS]


def lung_depth_at(points: np.ndarray) -> np.ndarray:
    """Return the depth in mm below the pleura at points (n, 3), negative in heart, great vessels and airways."""
    x, y, z = np.asarray(points, np.float32).T
    depth = lung_depth(x, y, z)
    for shape, wall in mediastinal_shapes():
        depth = np.minimum(depth, -wall - shape.distance(x, y, z).ravel())
    return depth


def spine_front(z: np.ndarray) -> np.ndarray:
    """Return the y coordinate of the centre of the vertebral bodies."""
    return 58 - ((z + 40) / 150) ** 2 * 22


def paint_table(canvas: Canvas) -> None:
    """Draw the patient table: a mattress and a curved shell filled with foam, with air between them."""
    region = canvas.region(np.array([-230, 60, -1e4]), np.array([230, 180, 1e4]))
    if region is None:
        return
    index, (x, y, _) = region
    sag = 118 - x**2 / 900
    within = 215 - np.abs(x)
    canvas.mix(index, np.minimum(4 - np.abs(y - sag + 3), within - 15), -900)
    canvas.mix(index, np.minimum(13 - np.abs(y - sag - 20), within), -930)
    for shift in (7, 33):
        canvas.mix(index, np.minimum(1.6 - np.abs(y - sag - shift), within), 60, 2.0)


def paint_body(canvas: Canvas) -> None:
    """Draw skin, fat, muscle and shoulders."""
    region = canvas.region(np.array([-200, -130, -1e4]), np.array([200, 130, 1e4]))
    if region is not None:
        index, (x, y, z) = region
        depth = body_depth(x, y, z)
        canvas.mix(index, depth, 20)
        canvas.mix(index, depth - 2, FAT)
        # Layers of fat separate the muscles.
        sheets = np.abs(np.sin(0.09 * y + 0.02 * z) - 0.9 * np.sin(0.045 * np.abs(x) + 0.015 * z + 1))
        canvas.mix(index, depth - 9 - 5 * np.abs(np.sin(x / 90)), MUSCLE - 130 * np.clip(1.6 - 16 * sheets, 0, 1))
    for side in (-1, 1):
        canvas.paint(ellipsoid((side * 138, -4, 52), (18, 34, 34)), FAT, 8)
        canvas.paint(ellipsoid((side * 62, 10, 118), (30, 40, 14)), FAT, 8)


def paint_bones(canvas: Canvas, cavity: np.ndarray, index: tuple[slice, slice, slice], points: Points) -> None:
    """Draw ribs with their cartilage, shoulder girdle, sternum and spine."""
    x, y, z = points
    # A rib descends from back to front.
    height = np.mod(z + 0.36 * (70 - y) + 0.0025 * (70 - y) ** 2, 25) - 12.5
    rib = 1 - np.sqrt((height / 6.5) ** 2 + ((cavity + 7) / 4.2) ** 2)
    rib = np.minimum(rib * 4.5, APEX - 4 - z)
    bony = np.where(y + 0.5 * np.abs(x) > -25, np.float32(1), np.float32(0.15))
    canvas.mix(index, rib, 60 + bony * (CORTEX - 60))
    canvas.mix(index, rib - 1.6, 80 + bony * (MARROW - 80))
    for side in (-1, 1):
        for shape in path((side * 20, -48, 66, 7), (side * 70, -40, 84, 5.5), (side * 130, 8, 104, 6.5)):
            _paint_bone(canvas, shape)
        _paint_bone(canvas, ellipsoid((side * 148, 26, 100), (24, 24, 26)))
        _paint_bone(canvas, ellipsoid((side * 112, 74, 36), (38, 4.5, 58), turn=-side * 32))
        _paint_bone(canvas, tube(np.array([side * 85, 82, 62]), np.array([side * 140, 52, 98]), 5, 8))
    _paint_bone(canvas, tube(np.array([0, -50, 68]), np.array([0, -66, 34]), 9, 8))
    for offset in (-9, 0, 9):
        _paint_bone(canvas, tube(np.array([offset, -60, 52]), np.array([offset * 0.9, -93, -75]), 6.5, 6))
    _paint_spine(canvas)


def paint_mediastinum(canvas: Canvas) -> None:
    """Draw heart, great vessels and oesophagus."""
    for shape in HEART:
        canvas.paint(shape, BLOOD + 4, 4)
    for shape in GREAT_VESSELS:
        canvas.paint(shape, BLOOD)
    canvas.paint(ellipsoid((-2, -6, 104), (26, 18, 26)), 75, 6)


def paint_airways(canvas: Canvas) -> None:
    """Draw trachea and main bronchi: all walls first, so that the lumina are connected."""
    for wall, hu in ((1.5, 20.0), (0.0, AIR + 5)):
        for shape in AIRWAYS:
            region = canvas.region(shape.low - 2, shape.high + 2)
            if region is not None:
                index, points = region
                canvas.mix(index, shape.distance(*points) + wall, hu)


def paint_abdomen(canvas: Canvas, cavity: np.ndarray, index: tuple[slice, slice, slice], points: Points) -> None:
    """Draw diaphragm, liver, stomach with gas, spleen, kidneys and gas in the colon."""
    x, y, z = points
    below = diaphragm_height(x, y) - z
    inner = np.minimum(cavity, below) - 2
    inner = np.maximum(inner, np.minimum(np.minimum(below - 12, 60 - np.abs(x)), np.minimum(80 + y, 30 - y)))
    canvas.mix(index, inner, FAT)
    liver = 1 - np.sqrt(((x + 70) / 118) ** 2 + ((y + 18) / 92) ** 2 + ((z + 150) / 75) ** 2)
    canvas.mix(index, np.minimum(inner - 1, liver * 70), LIVER)
    for shape, hu, gas in ABDOMEN:
        region = canvas.region(shape.low, shape.high)
        if region is None:
            continue
        index, (x, y, z) = region
        room = np.minimum(cavity_depth(x, y, z), diaphragm_height(x, y) - z) - 3.5
        depth = np.minimum(shape.distance(x, y, z), np.where(np.abs(x) < 40, np.float32(99), room))
        canvas.mix(index, depth, hu)
        if gas is not None:
            canvas.mix(index, np.minimum(depth - 4, gas - y), AIR + 40)


def _paint_bone(canvas: Canvas, shape: Shape) -> None:
    region = canvas.region(shape.low, shape.high)
    if region is not None:
        index, points = region
        depth = shape.distance(*points)
        canvas.mix(index, depth, CORTEX)
        canvas.mix(index, depth - 2, MARROW)


def _paint_spine(canvas: Canvas) -> None:
    region = canvas.region(np.array([-40, -10, -1e4]), np.array([40, 112, 1e4]))
    if region is None:
        return
    index, (x, y, z) = region
    behind = y - spine_front(z)
    level = np.abs(np.mod(z, 24) - 12)
    round_ = 1 - np.sqrt((x / 17) ** 2 + (behind / 14) ** 2)
    waist = round_ * 15 - 0.02 * (12 - level) ** 2 * 0.6
    canvas.mix(index, waist, 75)
    vertebra = np.minimum(waist, 9.8 - level)
    canvas.mix(index, vertebra, CORTEX - 150)
    canvas.mix(index, vertebra - 1.8, MARROW)
    arch = 4.5 - np.abs(np.sqrt(x**2 + (behind - 22) ** 2) - 12)
    spine = np.minimum(4 - np.abs(x), np.minimum(behind - 30, 50 - behind - level))
    arch = np.maximum(arch, spine)
    wing = np.minimum(5 - np.abs(behind - 24 - 0.2 * np.abs(x)), np.minimum(34 - np.abs(x), 7 - level))
    arch = np.maximum(arch, wing)
    arch = np.minimum(arch, 11 - level)
    canvas.mix(index, np.minimum(arch, np.abs(behind - 20) + 3), CORTEX - 100)
    canvas.mix(index, arch - 1.8, MARROW + 60)
    canvas.mix(index, 8 - np.sqrt(x**2 + (behind - 22) ** 2), 25)


def _level(value: np.ndarray, slope_x: np.ndarray, slope_y: np.ndarray) -> np.ndarray:
    """Return the approximate distance in mm to the contour where `value` is 1, given its slopes along x and y."""
    steepness = np.sqrt(slope_x**2 + slope_y**2)
    return (1 - value) / np.maximum(steepness, np.float32(0.012))


def _along(axis: np.ndarray, *knots: tuple[float, float]) -> np.ndarray:
    """Interpolate a smooth curve through knots (position, value) in mm."""
    positions, values = np.array(knots, float).T
    fine = np.linspace(positions[0], positions[-1], 400)
    rough = np.interp(fine, positions, values)
    width = max(int(400 * 12 / (positions[-1] - positions[0])), 1)
    smooth = np.convolve(np.pad(rough, width, mode="edge"), np.ones(2 * width + 1) / (2 * width + 1), mode="valid")
    return np.interp(axis, fine, smooth).astype(np.float32)
