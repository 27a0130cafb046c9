"""Mutations of image files: lines of NRRD and MetaImage headers, data, and names."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from fuzz.bytes_mutations import Random, mutate_bytes, mutate_stream, number, text
from fuzz.header_lines import META_LINES, NRRD_LINES
from fuzz.nifti_mutations import mutate_nifti
from fuzz.original import Original

_NUMBER = re.compile(rb"[-+]?[\d.]+(?:[eE][-+]?\d+)?")
# fmt: off
_TYPES = (
    b"MET_CHAR", b"MET_UCHAR", b"MET_SHORT", b"MET_USHORT", b"MET_INT", b"MET_UINT", b"MET_LONG", b"MET_LONG_LONG",
    b"MET_FLOAT", b"MET_DOUBLE", b"MET_OTHER", b"MET_NONE", b"short", b"ushort", b"int8", b"uint8", b"int", b"uint",
    b"longlong", b"float", b"double", b"block", b"signed",
)
# fmt: on


def mutate_image(rng: Random, original: Original, others: Sequence[Original] = ()) -> tuple[Original, str]:
    """Apply a random mutation to an image file, to its header or data, or to a name.

    Args:
        rng: Random numbers.
        original: The image.
        others: Other images of its kind, of which it may get a part.
    """
    if rng.random() < 0.06:
        return mutate_names(rng, original)
    if others and rng.random() < 0.06:
        return _splice(rng, original, others[rng.integers(len(others))])
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


def _splice(rng: Random, original: Original, other: Original) -> tuple[Original, str]:
    """Join the start of an image, often its header, and the end of another one."""
    start, end = original.files[original.target], other.files.get(other.target, b"")
    if original.kind == "nifti":
        places = [352, 352]
    else:
        places = [len(content) - len(split_text_header(content, original.kind)[1]) for content in (start, end)]
    if rng.random() < 0.3:
        places = [int(rng.integers(len(content) + 1)) for content in (start, end)]
    spliced = start[: places[0]] + end[places[1] :]
    return original.with_file(original.target, spliced), f"{places[0]} bytes, then {other.name} from {places[1]} on"


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
        same = [at for at, other in enumerate(lines) if other.partition(separator)[0] == line.partition(separator)[0]]
        if same and rng.random() < 0.85:
            lines[same[0]] = line
            return lines, f"line: {line.decode('latin-1')}"
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
