"""Mutations of the functional groups of an enhanced CT, which state position and rescaling of its frames."""

from __future__ import annotations

import io
import warnings

import pydicom
from fuzz.bytes_mutations import Random, mutate_bytes, number
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

#: Values that are numbers, and the sequence of a functional group that they stand in.
NUMBERS = {
    "PixelSpacing": "PixelMeasuresSequence",
    "SliceThickness": "PixelMeasuresSequence",
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "GantryDetectorTilt": "CTGeometrySequence",
}
ACTIONS = ("value",) * 3 + ("all", "removed", "twice", "swapped", "moved", "empty", "count", "encoding")
SHARED, FRAMES = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"


def mutate_groups(rng: Random, content: bytes) -> tuple[bytes, str]:
    """Apply a random mutation to the functional groups of a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            data = pydicom.dcmread(io.BytesIO(content), force=True)
            what = _mutate(rng, data)
            written = io.BytesIO()
            data.save_as(written)
        except Exception:  # an earlier mutation has left nothing to mutate, or nothing that pydicom can write
            return mutate_bytes(rng, content)
    return written.getvalue(), what


def _mutate(rng: Random, data: Dataset) -> str:
    frames, shared = list(data.get(FRAMES) or ()), list(data.get(SHARED) or ())
    index = int(rng.integers(len(frames)))
    action = str(
        rng.choice(
            ["value", "value", "value", "all", "removed", "twice", "swapped", "moved", "empty", "count", "encoding"]
        )
    )
    if action in ("value", "all"):
        keyword = list(NUMBERS)[rng.integers(len(NUMBERS))]
        in_shared = rng.random() < 0.2
        chosen = shared[:1] if in_shared else frames if action == "all" else [frames[index]]
        values = [str(value) for value in _current(shared + frames, keyword)]
        which = int(rng.integers(len(values)))
        values[which] = number(rng, values[which].encode()).decode()[:16]
        for item in chosen:
            _set(item, keyword, values)
        return f"{keyword} = {values} in {len(chosen)} {'shared groups' if in_shared else 'frames'}"
    if action == "removed":
        del frames[index]
    elif action == "twice":
        frames.insert(index, frames[index])
    elif action == "swapped":
        other = int(rng.integers(len(frames)))
        frames[index], frames[other] = frames[other], frames[index]
    elif action == "moved":  # a group that all frames share, to one frame, or the reverse
        source, targets = (shared[0], [frames[index]]) if rng.random() < 0.5 else (frames[index], shared[:1])
        keyword = source.dir()[rng.integers(len(source.dir()))]
        for target in targets:
            setattr(target, keyword, getattr(source, keyword))
        if rng.random() < 0.5:
            delattr(source, keyword)
        action = f"{keyword} moved"
    elif action == "empty":
        groups = shared[0] if rng.random() < 0.5 else frames[index]
        keyword = groups.dir()[rng.integers(len(groups.dir()))]
        setattr(groups, keyword, Sequence() if rng.random() < 0.5 else Sequence([Dataset()]))
        action = f"{keyword} is empty"
    elif action == "count":
        data.NumberOfFrames = int(rng.choice([0, 1, len(frames) - 1, len(frames) + 1, -1, 2**31 - 1]))
        action = f"NumberOfFrames = {data.NumberOfFrames}"
    elif action == "encoding":
        for keyword in (SHARED, FRAMES):
            data[keyword].is_undefined_length = True
        for item in frames:
            item.is_undefined_length_sequence_item = bool(rng.random() < 0.7)
    setattr(data, FRAMES, Sequence(frames))
    if action == "encoding":
        data[FRAMES].is_undefined_length = True
    return f"frame {index}: {action}"


def _current(groups: list[Dataset], keyword: str) -> list[object]:
    for group in groups:
        for item in group.get(NUMBERS[keyword]) or ():
            if keyword in item:
                value = item.get(keyword)
                return list(value) if isinstance(value, MultiValue) else [value]
    return [1.0]


def _set(group: Dataset, keyword: str, values: list[str]) -> None:
    """Write a value as it is, also if it is not valid."""
    if not group.get(NUMBERS[keyword]):
        setattr(group, NUMBERS[keyword], Sequence([Dataset()]))
    tag = pydicom.tag.Tag(keyword)
    text = "\\".join(values).encode()
    text += b" " * (len(text) % 2)
    group.get(NUMBERS[keyword])[0][tag] = RawDataElement(tag, "DS", len(text), text, 0, False, True)
