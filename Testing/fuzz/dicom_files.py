"""Mutations of the set of files that a DICOM series consists of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from fuzz.bytes_mutations import Random
from fuzz.dicom_elements import join, split
from fuzz.original import SERIES_UID, Original

#: A UID of the same length as `SERIES_UID`.
OTHER_UID = SERIES_UID[:-1] + "7"
# fmt: off
ACTIONS = (
    "removed", "copied", "exchanged", "renamed", "moved", "foreign", "empty", "without file header", "hidden",
    "cropped",
)
NAMES = (
    b"IM1", b"M\xfcller.dcm", b"\xe8\xe9", "肺.dcm".encode(), b"%s%n.dcm", b"a\nb", b"x" * 250, b"1.2.3", b"DICOMDIR",
    b"-o", b"a.nii", b"a.dcm.gz", b".dcm",
)
# fmt: on


def mutate_files(rng: Random, original: Original, others: Sequence[Original]) -> tuple[Original, str]:
    """Remove, copy, rename, link or add files, or exchange their contents, also with those of other series."""
    if others and rng.random() < 0.35:
        return _mix(rng, original, others)
    if rng.random() < 0.1:
        return _add_special(rng, original)
    files, names = dict(original.files), sorted(original.files)
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    target = original.target
    what = str(rng.choice(ACTIONS))
    if what == "removed" and name != target:
        del files[name]
    elif what == "copied":
        files[b"copy of " + name] = files[name]
    elif what == "exchanged":
        files[name], files[other] = files[other], files[name]
    elif what == "renamed":
        new = NAMES[rng.integers(len(NAMES))]
        files[new] = files.pop(name)
        target = new if name == target else target
        what = f"renamed to {new[:20]!r}"
    elif what == "moved":
        folder = [b"sub/", b"caf\xe9/", b".hidden/", b"a/b/c/"][rng.integers(4)]
        files = {folder + key: value for key, value in files.items()}
        target = folder + target if target else target
    elif what == "foreign":
        files[b"other.dcm"] = (
            rng.bytes(rng.integers(0, 3000)) if rng.random() < 0.5 else b"\0" * 128 + b"DICM" + rng.bytes(300)
        )
    elif what == "empty":
        files[name] = b""
    elif what == "without file header" and (parts := split(files[name])):
        files[name] = join(replace(parts, header=b""))
    elif what == "hidden" and not target:
        files[b"." + name] = files.pop(name)
    elif what == "cropped" and not target:
        for unwanted in names[int(rng.integers(1, len(names) + 1)) :]:
            del files[unwanted]
    return replace(original, files=files, target=target), f"{os.fsdecode(name)} {what}"


def _mix(rng: Random, original: Original, others: Sequence[Original]) -> tuple[Original, str]:
    """Put files of another series, which shows the same CT in another encoding, into a series."""
    other = others[rng.integers(len(others))]
    names = sorted(other.files)
    files, action = dict(original.files), str(rng.choice(["replaced", "added", "second series", "screenshot", "scout"]))
    if action == "replaced":  # the slices have the same names
        share = rng.random()
        chosen = [name for name in names if rng.random() < share] or names[:1]
        files.update({name: other.files[name] for name in chosen})
        return replace(original, files=files), f"{len(chosen)} files of {other.name} in place of others"
    if action == "added":
        name = names[rng.integers(len(names))]
        files[b"other " + name] = other.files[name]
        return replace(original, files=files), f"a file of {other.name} added"
    if action == "second series":
        uid, new = SERIES_UID.encode(), OTHER_UID.encode()
        files.update({b"second " + name: content.replace(uid, new) for name, content in other.files.items()})
        return replace(original, files=files), f"{other.name} as a second series"
    parts = split(other.files[names[0]])
    if parts is None:
        return original, "unchanged"
    changed = (
        {0x00080008: b"DERIVED\\SECONDARY"} if action == "screenshot" else {0x00080008: b"ORIGINAL\\PRIMARY\\LOCALIZER"}
    )
    if action == "screenshot" and rng.random() < 0.5:
        changed[0x00080016] = b"1.2.840.10008.5.1.4.1.1.7\0"
    for element in parts.elements:
        if element.tag in changed:
            value = changed[element.tag]
            element.value = value + b" " * (len(value) % 2)
        if element.tag == 0x00080018:
            element.value = element.value[:-2] + b"99"
    files[b"another.dcm"] = join(parts)
    return replace(original, files=files), f"{action} of {other.name} in the series"


def _add_special(rng: Random, original: Original) -> tuple[Original, str]:
    """Add something that is not a regular file."""
    names = sorted(original.files)
    kinds = {
        b"link.dcm": ("link", names[rng.integers(len(names))]),
        b"broken.dcm": ("link", b"there is no such file"),
        b"loop": ("link", b"."),
        b"outside.dcm": ("link", b"/etc/passwd"),
        b"device.dcm": ("link", b"/dev/zero"),
        b"pipe.dcm": ("pipe", b""),
        b"folder.dcm": ("folder", b""),
    }
    name = list(kinds)[rng.integers(len(kinds))]
    return replace(original, specials={**original.specials, name: kinds[name]}), f"{name.decode()} added"
