"""Mutations of image files: fields of NIfTI headers, lines of NRRD and MetaImage headers, data, and names."""

from __future__ import annotations

import gzip
import os
import re
import struct
import zlib
from dataclasses import replace

import numpy as np
from fuzz.bytes_mutations import Random, mutate_bytes, mutate_stream, number, text
from fuzz.originals import Original

_NUMBER = re.compile(rb"[-+]?[\d.]+(?:[eE][-+]?\d+)?")
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
#: Lines that a header may contain.
NRRD_LINES = (
    b"space: left-posterior-superior",
    b"space: right-anterior-superior",
    b"space: LAS",
    b"space: scanner-xyz",
    b"space: 3D-right-handed",
    b"space dimension: 3",
    b"space dimension: 4",
    b'space units: "mm" "mm" "mm"',
    b"spacings: 2 2 2",
    b"spacings: nan nan nan",
    b"thicknesses: 1 1 1",
    b"axis mins: 0 0 0",
    b"centers: cell cell cell",
    b"centerings: node node node",
    b"kinds: domain domain domain",
    b"kinds: vector domain domain",
    b"kinds: RGB-color domain domain",
    b'labels: "x" "y" "z"',
    b"measurement frame: (1,0,0) (0,1,0) (0,0,1)",
    b"line skip: 1",
    b"lineskip: 0",
    b"byte skip: -1",
    b"byte skip: 4",
    b"byteskip: 1",
    b"encoding: ascii",
    b"encoding: hex",
    b"encoding: bzip2",
    b"encoding: gz",
    b"encoding: raw",
    b"endian: big",
    b"endian: little",
    b"block size: 16",
    b"type: block",
    b"type: uint8",
    b"type: double",
    b"min: 0",
    b"old min: -1000",
    b"content: x",
    b"sample units: HU",
    b"data file: LIST",
    b"data file: ct.raw",
    b"data file: ct%02d.raw 1 6 1",
    b"datafile: ct.nrrd",
    b"number: 2376",
    b"key:=value",
    b"key:=a\\nb",
    b"sizes: 22 18 6",
    b"dimension: 4",
    b"garbage",
    b"#",
    b"",
)
META_LINES = (
    b"ObjectType = Image",
    b"ObjectType = Tube",
    b"ObjectSubType = x",
    b"NDims = 2",
    b"NDims = 4",
    b"Comment = hello",
    b"BinaryData = False",
    b"BinaryDataByteOrderMSB = True",
    b"ElementByteOrderMSB = True",
    b"ElementByteOrderMSB = False",
    b"CompressedData = True",
    b"CompressedData = False",
    b"CompressedDataSize = 10",
    b"CompressedDataSize = 100000000000",
    b"ElementNumberOfChannels = 2",
    b"ElementNumberOfChannels = 1",
    b"ElementSize = 2 2 2",
    b"ElementSpacing = 2 2 2",
    b"ElementType = MET_UCHAR",
    b"ElementType = MET_DOUBLE",
    b"ElementType = MET_STRING",
    b"ElementType = MET_SHORT_ARRAY",
    b"ElementToIntensityFunctionSlope = 2",
    b"ElementToIntensityFunctionOffset = 10",
    b"ElementMin = 0",
    b"ElementMax = 1",
    b"HeaderSize = -1",
    b"HeaderSize = 1",
    b"HeaderSize = 100000",
    b"Modality = MET_MOD_CT",
    b"AnatomicalOrientation = LPI",
    b"CenterOfRotation = 1 2 3",
    b"Offset = 1 2 3",
    b"Origin = 4 5 6",
    b"Position = 7 8 9",
    b"TransformMatrix = 0 1 0 1 0 0 0 0 1",
    b"Rotation = 0 1 0 1 0 0 0 0 1",
    b"Orientation = -1 0 0 0 1 0 0 0 1",
    b"SequenceID = 1 1 1 1",
    b"DistanceUnits = um",
    b"ElementDataFile = LIST",
    b"ElementDataFile = ct%d.raw 1 6 1",
    b"ElementDataFile = ct.raw",
    b"ElementDataFile = LOCAL",
    b"ElementDataFile = local",
    b"garbage",
    b"=",
    b"",
)
# fmt: off
_TYPES = (
    b"MET_CHAR", b"MET_UCHAR", b"MET_SHORT", b"MET_USHORT", b"MET_INT", b"MET_UINT", b"MET_LONG", b"MET_LONG_LONG",
    b"MET_FLOAT", b"MET_DOUBLE", b"MET_OTHER", b"MET_NONE", b"short", b"ushort", b"int8", b"uint8", b"int", b"uint",
    b"longlong", b"float", b"double", b"block", b"signed",
)
# fmt: on


def mutate_image(rng: Random, original: Original) -> tuple[Original, str]:
    """Apply a random mutation to an image file, to its header or data, or to a name."""
    if rng.random() < 0.06:
        return mutate_names(rng, original)
    if original.kind == "nifti":
        content, name = mutate_nifti(rng, original.files[original.target])
        return original.with_file(original.target, content), name
    others = [name for name in original.files if name != original.target]
    if others and rng.random() < 0.3:
        data_file = others[rng.integers(len(others))]
        gzipped = original.kind == "nrrd"
        compressed = original.files[data_file][:1] in (b"\x1f", b"\x78")
        mutated, name = (
            mutate_stream(rng, original.files[data_file], gzipped=gzipped)
            if compressed
            else mutate_bytes(rng, original.files[data_file])
        )
        return original.with_file(data_file, mutated), f"data file: {name}"
    content, name = mutate_text_header(rng, original.files[original.target], original.kind)
    return original.with_file(original.target, content), name


def mutate_nifti(rng: Random, content: bytes) -> tuple[bytes, str]:
    """Mutate a field of the header, or bytes of the header, the voxels or the compressed stream."""
    gzipped = content[:2] == b"\x1f\x8b"
    if gzipped and rng.random() < 0.35:
        return mutate_stream(rng, content, gzipped=True)
    try:
        plain = gzip.decompress(content) if gzipped else content
    except (OSError, EOFError, zlib.error):
        return mutate_bytes(rng, content)
    if len(plain) < 352 or rng.random() < 0.25:
        plain, name = mutate_bytes(rng, plain)
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


def split_text_header(content: bytes, kind: str) -> tuple[list[bytes], bytes]:
    """Split a file into the lines of its header and the rest."""
    if kind == "nrrd":
        head, blank, rest = content.partition(b"\n\n")
        return head.split(b"\n"), blank + rest
    match = re.search(rb"ElementDataFile[^\n]*(?:\n|$)", content)
    end = match.end() if match else min(len(content), 400)
    return content[:end].rstrip(b"\n").split(b"\n"), b"\n" + content[end:]


def mutate_text_header(rng: Random, content: bytes, kind: str) -> tuple[bytes, str]:
    """Mutate a line of a header, or bytes of the header or the data."""
    lines, rest = split_text_header(content, kind)
    choice = rng.random()
    if choice < 0.1:
        return mutate_bytes(rng, content)
    if choice < 0.3 and len(rest) > 2:
        start = len(rest) - len(rest.lstrip(b"\n"))
        data = rest[start:]
        if data[:1] in (b"\x1f", b"\x78") and data:
            data, name = mutate_stream(rng, data, gzipped=kind == "nrrd")
        else:
            data, name = mutate_bytes(rng, data)
        return b"\n".join(lines) + rest[:start] + data, f"data: {name}"
    lines, name = _mutate_lines(rng, lines, kind)
    end = b"\r\n" if name == "CRLF" else b"\n"
    return end.join(lines) + rest, name


def _mutate_lines(rng: Random, lines: list[bytes], kind: str) -> tuple[list[bytes], str]:
    lines = list(lines)
    index = int(rng.integers(len(lines)))
    separator = b":" if kind == "nrrd" else b"="
    key, _, value = lines[index].partition(separator)
    label = key.decode("latin-1").strip()
    choice = int(rng.integers(13))
    if choice == 0:
        del lines[index]
        return lines, f"without {label}"
    if choice == 1:
        lines.insert(int(rng.integers(len(lines) + 1)), lines[index])
        return lines, f"{label} twice"
    if choice == 2:
        other = int(rng.integers(len(lines)))
        lines[index], lines[other] = lines[other], lines[index]
        return lines, f"lines {index} and {other} swapped"
    if choice in (3, 4):
        pool = NRRD_LINES if kind == "nrrd" else META_LINES
        line = pool[rng.integers(len(pool))]
        place = len(lines) if kind == "nrrd" else len(lines) - 1
        lines.insert(int(rng.integers(1, place + 1)) if place else 0, line)
        return lines, f"line added: {line.decode('latin-1')}"
    if choice == 5:
        lines[index] = key + separator + b" " + text(rng)
        return lines, f"{label} = odd text"
    if choice == 6:
        lines[index] = key + separator + value.replace(b" ", bytes(rng.choice([b"  ", b"\t", b",", b""])))
        return lines, f"{label} with other spaces"
    if choice == 7:
        lines[index] = lines[index].swapcase()
        return lines, f"{label} in another case"
    if choice == 8 and b"type" in key.lower():
        lines[index] = key + separator + b" " + _TYPES[rng.integers(len(_TYPES))]
        return lines, f"{label} = another type"
    if choice == 9 and rng.random() < 0.3:
        return lines, "CRLF"
    if choice == 10 and rng.random() < 0.2:
        added = [
            b"key%d:=x" % i if kind == "nrrd" else b"Comment%d = x" % i for i in range(int(rng.choice([50, 3000])))
        ]
        return lines[:-1] + added + lines[-1:], f"{len(added)} lines added"
    numbers = list(_NUMBER.finditer(lines[index]))
    if not numbers:
        lines[index] = mutate_bytes(rng, lines[index])[0]
        return lines, f"{label}: bytes"
    if choice == 11:  # one number more or less
        match = numbers[rng.integers(len(numbers))]
        extra = b"" if rng.random() < 0.5 else match.group() + b" " + number(rng, match.group())
        lines[index] = lines[index][: match.start()] + extra + lines[index][match.end() :]
        return lines, f"{label}: a number added or removed"
    match = numbers[rng.integers(len(numbers))]
    changed = number(rng, match.group())
    lines[index] = lines[index][: match.start()] + changed + lines[index][match.end() :]
    return lines, f"{label}: {match.group().decode()} -> {changed.decode()}"


def mutate_names(rng: Random, original: Original) -> tuple[Original, str]:
    """Rename the target, or add another file beside it."""
    name = original.target
    if not name:
        return original, "unchanged"
    stem, _, extension = name.partition(b".")
    names = {
        "not UTF-8": b"M\xfcller." + extension,
        "upper case": name.upper(),
        "unicode": "Lunge–肺 ü.".encode() + extension,
        "spaces": b" a  b ." + extension,
        "two extensions": b"a.nii.nrrd.dcm." + extension,
        "long": b"x" * 240 + b"." + extension,
        "format": b"%s%n%d." + extension,
        "newline": b"a\nb." + extension,
        "escape": b"\x1b[31m." + extension,
        "other extension": stem
        + bytes(rng.choice([b".nii", b".nii.gz", b".nrrd", b".mha", b".mhd", b".nhdr", b".dcm", b""])),
        "minus": b"-o." + extension,
        "folder": b"caf\xe9/" + name,
    }
    beside = (b"ct.nii", b"ct.nii.gz", b"ct.hdr", b"ct.img", b"ct.img.gz", b"ct.raw", b"ct.zraw", b"ct.nhdr")
    if rng.random() < 0.4:
        other = beside[rng.integers(len(beside))]
        if other in original.files:
            return original, "unchanged"
        content = original.files[name] if rng.random() < 0.5 else rng.bytes(rng.integers(0, 500))
        return original.with_file(other, content), f"{os.fsdecode(other)} beside it"
    choice = list(names)[rng.integers(len(names))]
    files = dict(original.files)
    files[names[choice]] = files.pop(name)
    if choice == "folder":  # the data file moves with its header
        files = {key if key == names[choice] else b"caf\xe9/" + key: value for key, value in files.items()}
    return replace(original, files=files, target=names[choice]), f"name: {choice}"
