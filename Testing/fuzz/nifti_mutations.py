"""Mutations of NIfTI files: fields of the header, transforms, extensions, and the compressed stream."""

from __future__ import annotations

import gzip
import struct
import zlib

import numpy as np
from fuzz.bytes_mutations import Random, mutate_bytes, mutate_stream

#: NIfTI-1 fields: offset, struct format of one value, number of values.
NIFTI_FIELDS = {
    "sizeof_hdr": (0, "i", 1),
    "dim_info": (39, "B", 1),
    "dim": (40, "h", 8),
    "intent": (56, "f", 3),
    "intent_code": (68, "h", 1),
    "datatype": (70, "h", 1),
    "bitpix": (72, "h", 1),
    "slice_start": (74, "h", 1),
    "pixdim": (76, "f", 8),
    "vox_offset": (108, "f", 1),
    "scl_slope": (112, "f", 1),
    "scl_inter": (116, "f", 1),
    "slice_end": (120, "h", 1),
    "xyzt_units": (123, "B", 1),
    "cal": (124, "f", 2),
    "toffset": (136, "f", 1),
    "qform_code": (252, "h", 1),
    "sform_code": (254, "h", 1),
    "quatern": (256, "f", 3),
    "qoffset": (268, "f", 3),
    "srow": (280, "f", 12),
    "intent_name": (328, "B", 16),
    "magic": (344, "B", 4),
    "extension": (348, "B", 4),
}
_DATATYPES = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2304)
_FLOATS = (
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-30,
    1e-3,
    1e3,
    1e30,
    3e38,
    float("nan"),
    float("inf"),
    float("-inf"),
    352,
    348,
    540,
)


def mutate_nifti(rng: Random, content: bytes) -> tuple[bytes, str]:
    """Mutate a field of the header, or bytes of the header, the voxels or the compressed stream."""
    gzipped = content[:2] == b"\x1f\x8b"
    if gzipped and rng.random() < 0.35:
        return mutate_stream(rng, content, gzipped=True)
    try:
        plain = gzip.decompress(content) if gzipped else content
    except (OSError, EOFError, zlib.error):
        return mutate_bytes(rng, content)
    choice = rng.random()
    if len(plain) < 352 or choice < 0.25:
        plain, name = mutate_bytes(rng, plain)
    elif choice < 0.32:
        plain, name = _add_extension(rng, plain)
    elif choice < 0.42:
        plain, name = _change_transform(rng, plain)
    else:
        plain, name = _mutate_nifti_field(rng, plain)
    return (gzip.compress(plain, mtime=0) if gzipped else plain), name


def _mutate_nifti_field(rng: Random, plain: bytes) -> tuple[bytes, str]:
    names = list(NIFTI_FIELDS)
    name = names[rng.integers(len(names))]
    offset, form, count = NIFTI_FIELDS[name]
    order = "<" if plain[:4] == struct.pack("<i", 348) else ">"
    index = int(rng.integers(count))
    offset += index * struct.calcsize(form)
    data = bytearray(plain)
    (current,) = struct.unpack_from(order + form, data, offset)
    value: float
    if name == "datatype" and rng.random() < 0.8:
        value = int(rng.choice(_DATATYPES))
        if rng.random() < 0.5:  # a type that fits, so that only the length tells that it is wrong
            bits = {2: 8, 4: 16, 8: 32, 16: 32, 64: 64, 128: 24, 256: 8, 512: 16, 768: 32, 1024: 64, 1280: 64}.get(
                int(value), 8
            )
            struct.pack_into(order + "h", data, 72, bits)
    elif form == "f":
        value = (
            float(rng.choice(_FLOATS))
            if rng.random() < 0.6
            else current * float(rng.choice([-1, 2, 0.5, 1.01, 1.0005]))
        )
    else:
        low, high = {"h": (-32768, 32767), "i": (-(2**31), 2**31 - 1), "B": (0, 255)}[form]
        near = [current + 1, current - 1, current * 2, current // 2]
        value = int(
            np.clip(rng.choice([0, 1, 2, 3, 4, 7, 8, -1, low, high, *near, int(rng.integers(low, high))]), low, high)
        )
    try:
        struct.pack_into(order + form, data, offset, value)
    except OverflowError:
        struct.pack_into(order + form, data, offset, float("inf"))
    return bytes(data), f"{name}[{index}] = {value:g}"


def _add_extension(rng: Random, plain: bytes) -> tuple[bytes, str]:
    """Add a header extension, which may state a wrong length, and which the offset of the voxels may ignore."""
    order = "<" if plain[:4] == struct.pack("<i", 348) else ">"
    length = int(rng.choice([16, 32, 4096, 1 << 17]))
    stated = length if rng.random() < 0.5 else int(rng.choice([0, 1, 8, 15, length + 16, -16, 2**31 - 1]))
    data = bytearray(plain[:348] + bytes([int(rng.choice([0, 1, 1, 1, 255])), 0, 0, 0]))
    data += struct.pack(order + "2i", stated, int(rng.choice([0, 2, 4, 6, -1]))) + rng.bytes(length - 8) + plain[352:]
    offset = 352 + length if rng.random() < 0.7 else int(rng.choice([352, 352 + length // 2, 352 + length + 16]))
    struct.pack_into(order + "f", data, 108, offset)
    return bytes(data), f"extension of {length} bytes that states {stated}; voxels at {offset}"


def _change_transform(rng: Random, plain: bytes) -> tuple[bytes, str]:
    """Give other transforms: none, one of them, axes in another order or direction, sheared or scaled."""
    order = "<" if plain[:4] == struct.pack("<i", 348) else ">"
    data = bytearray(plain)
    codes = int(rng.choice([0, 0, 1, 2, 5])), int(rng.choice([0, 1, 1, 2, 4]))
    struct.pack_into(order + "2h", data, 252, *codes)
    spacing = np.abs(struct.unpack_from(order + "3f", data, 80))
    axes = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3) * spacing
    what = str(rng.choice(["rotated", "rotated", "sheared", "scaled", "singular"]))
    if what == "sheared":
        axes[0, 1] += float(rng.choice([1e-4, 0.01, 0.5]))
    elif what == "scaled":
        axes *= float(rng.choice([1.0005, 1.01, 2]))
    elif what == "singular":
        axes[:, int(rng.integers(3))] = 0
    matrix = np.column_stack([axes, rng.uniform(-300, 300, 3)])
    struct.pack_into(order + "12f", data, 280, *matrix.ravel())
    if rng.random() < 0.6:
        struct.pack_into(order + "f", data, 76, float(rng.choice([-1, 1, 0, 2])))
        struct.pack_into(order + "3f", data, 256, *rng.uniform(-0.7, 0.7, 3))
    data[123] = int(rng.choice([2, 2, 2, 0, 1, 3, 10]))
    return bytes(data), f"qform {codes[0]}, sform {codes[1]} {what}, units {data[123]}"
