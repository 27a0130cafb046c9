"""Mutations of encapsulated pixels: their fragments, offsets and frames, and the headers of JPEG streams."""

from __future__ import annotations

import struct

from fuzz.bytes_mutations import Random, mutate_bytes

ACTIONS = ("stream",) * 3 + ("split", "removed", "twice", "swapped", "table", "empty", "odd", "end")
ITEM, DELIMITER = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"


def split_fragments(value: bytes) -> tuple[list[bytes], bytes] | None:
    """Split encapsulated pixels into the offset table and fragments, and what follows them."""
    fragments, position = [], 0
    while value[position : position + 4] == ITEM and position + 8 <= len(value):
        (length,) = struct.unpack_from("<I", value, position + 4)
        if position + 8 + length > len(value):
            return None
        fragments.append(value[position + 8 : position + 8 + length])
        position += 8 + length
    return (fragments, value[position:]) if fragments else None


def join_fragments(fragments: list[bytes], rest: bytes) -> bytes:
    """Write encapsulated pixels."""
    return b"".join(ITEM + struct.pack("<I", len(item)) + item for item in fragments) + rest


def mutate_fragments(rng: Random, value: bytes) -> tuple[bytes, str]:
    """Apply a random mutation to encapsulated pixels."""
    parts = split_fragments(value)
    if parts is None or len(parts[0]) < 2:
        return mutate_bytes(rng, value)
    (table, *frames), rest = parts
    index = int(rng.integers(len(frames)))
    action = str(
        rng.choice(
            ["stream", "stream", "stream", "split", "removed", "twice", "swapped", "table", "empty", "odd", "end"]
        )
    )
    if action == "stream":
        frames[index], what = mutate_jpeg(rng, frames[index])
        return join_fragments([table, *frames], rest), what
    if action == "split":
        place = int(rng.integers(1, max(2, len(frames[index]))))
        frames[index : index + 1] = [frames[index][:place], frames[index][place:]]
    elif action == "removed":
        del frames[index]
    elif action == "twice":
        frames.insert(index, frames[index])
    elif action == "swapped":
        other = int(rng.integers(len(frames)))
        frames[index], frames[other] = frames[other], frames[index]
    elif action == "table":
        offsets = [0, 4, 0xFFFFFFFF, int(rng.integers(1 << 16))]
        table = struct.pack("<I", offsets[rng.integers(4)]) * int(rng.choice([0, 1, 2, len(frames), 500]))
    elif action == "empty":
        frames[index] = b""
    elif action == "odd":
        frames[index] = frames[index][:-1]
    elif action == "end":
        rest = bytes(rng.choice([b"", DELIMITER + b"\x08\0\0\0", ITEM + b"\xff\xff\xff\x7f"]))
    return join_fragments([table, *frames], rest), f"fragments: {action} {index}"


def mutate_jpeg(rng: Random, stream: bytes) -> tuple[bytes, str]:
    """Change a segment of a JPEG, JPEG-LS or JPEG 2000 stream, or bytes of any other stream."""
    markers = [place for place in range(len(stream) - 4) if stream[place] == 0xFF and stream[place + 1] >= 0x4F]
    if stream[:1] != b"\xff" or rng.random() < 0.3:
        return mutate_bytes(rng, stream)
    header = [place for place in markers if place < 200]
    place = header[rng.integers(len(header))]
    name = f"marker {stream[place + 1]:02x}"
    (length,) = struct.unpack_from(">H", stream, place + 2)
    choice = rng.random()
    if choice < 0.2:
        return stream[:place] + stream[place + 2 + length :], f"{name} removed"
    if choice < 0.35:
        return stream[:place] + stream[place : place + 2 + length] * 2 + stream[place + 2 + length :], f"{name} twice"
    if choice < 0.5:
        return stream[:place] + b"\xff" + rng.bytes(1) + stream[place + 2 :], f"{name} is another marker"
    changed = bytearray(stream)
    at = min(len(stream) - 1, place + 2 + int(rng.integers(max(1, min(length, 40)))))
    changed[at] = int(rng.choice([0, 1, 2, 7, 8, 12, 16, 127, 128, 255, (changed[at] + 1) % 256]))
    return bytes(changed), f"{name}, byte {at - place} = {changed[at]}"
