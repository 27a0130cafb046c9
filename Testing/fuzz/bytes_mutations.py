"""Mutations of bytes of unknown meaning."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import numpy as np

#: Numbers at the limits of types, as text.
# fmt: off
NUMBERS = (
    "0", "-0", "1", "-1", "2", "3", "0.5", "1e-3", "1e-30", "1e30", "1e300", "-1e300", "nan", "-nan", "NaN", "inf",
    "-inf", "Infinity", "127", "128", "255", "256", "32767", "32768", "65535", "65536", "2147483647", "2147483648",
    "4294967295", "4294967296", "9223372036854775807", "18446744073709551616", "0x10", "1e", "1,5", "1_000", "١", "٣",
)
# fmt: on
TEXTS = (
    "",
    " ",
    "\0",
    "%s%n%d",
    "../x",
    "/etc/passwd",
    "\x1b[31mred",
    "é",
    "A" * 300,
    "B" * 70_000,
    "none",
    "True",
    "False",
    "\\",
    "(1,0,0)",
    "\u202e",
)
Random = np.random.Generator


def number(rng: Random, current: bytes = b"1") -> bytes:
    """A number as text: one at the limit of a type, or one near the current value."""
    if rng.random() < 0.6:
        return rng.choice(NUMBERS).encode()
    try:
        value = float(current)
    except ValueError:
        value = 1.0
    factor = float(rng.choice([-1, 0.5, 2, 1.0001, 0.999, 10, 1e6]))
    changed = value * factor if rng.random() < 0.7 else value + float(rng.choice([-1, 1, 0.25]))
    return f"{changed:.8g}".encode()


def text(rng: Random) -> bytes:
    """An odd text."""
    return TEXTS[rng.integers(len(TEXTS))].encode() if rng.random() < 0.8 else rng.bytes(rng.integers(1, 40))


def flip_bits(rng: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        changed[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def overwrite(rng: Random, data: bytes) -> bytes:
    start, length = rng.integers(len(data)), int(rng.choice([1, 2, 4, 8, 64]))
    filling = rng.choice([b"\0", b"\xff", b"\x7f", b"\x80"]) * length if rng.random() < 0.6 else rng.bytes(length)
    return data[:start] + bytes(filling) + data[start + length :]


def truncate(rng: Random, data: bytes) -> bytes:
    return data[: rng.integers(len(data))] if rng.random() < 0.6 else data[: -int(rng.integers(1, 64))]


def extend(rng: Random, data: bytes) -> bytes:
    return data + (rng.bytes(rng.integers(1, 5000)) if rng.random() < 0.5 else b"\0" * int(rng.integers(1, 5000)))


def cut_out(rng: Random, data: bytes) -> bytes:
    start = rng.integers(len(data))
    return data[:start] + data[start + int(rng.choice([1, 2, 7, 100, 1000])) :]


def repeat(rng: Random, data: bytes) -> bytes:
    start = rng.integers(len(data))
    part = data[start : start + int(rng.choice([1, 2, 16, 300]))]
    return data[:start] + part * int(rng.choice([2, 3, 50])) + data[start + len(part) :]


def empty(rng: Random, data: bytes) -> bytes:
    return b""


def zero_tail(rng: Random, data: bytes) -> bytes:
    """Zeros from some byte on, as after a copy that failed."""
    start = int(rng.integers(len(data)))
    return data[:start] + b"\0" * (len(data) - start)


MUTATIONS: tuple[Callable[[Random, bytes], bytes], ...] = (
    flip_bits,
    flip_bits,
    overwrite,
    overwrite,
    truncate,
    extend,
    cut_out,
    repeat,
    zero_tail,
    empty,
)


def mutate_bytes(rng: Random, data: bytes) -> tuple[bytes, str]:
    """Apply a random mutation. Return the result and the name of the mutation."""
    if not data:
        return rng.bytes(rng.integers(1, 400)), "random bytes"
    mutation = MUTATIONS[rng.integers(len(MUTATIONS))]
    return mutation(rng, data), mutation.__name__


def mutate_stream(rng: Random, stream: bytes, *, gzipped: bool) -> tuple[bytes, str]:
    """Mutate a gzip or zlib stream: its content, its structure, or its bytes."""
    choice = rng.random()
    if choice < 0.3:
        return mutate_bytes(rng, stream)
    try:
        content = gzip.decompress(stream) if gzipped else zlib.decompress(stream)
    except (OSError, EOFError, zlib.error):
        return mutate_bytes(rng, stream)
    pack: Callable[[bytes], bytes] = (lambda data: gzip.compress(data, mtime=0)) if gzipped else zlib.compress
    if choice < 0.7:
        changed, name = mutate_bytes(rng, content)
        return pack(changed), f"{name} of what is compressed"
    half = len(content) // 2
    variants = {
        "two members": pack(content[:half]) + pack(content[half:]),
        "twice": pack(content) * 2,
        "compressed twice": pack(stream),
        "not compressed": content,
        "the other format": zlib.compress(content) if gzipped else gzip.compress(content, mtime=0),
        "raw deflate": zlib.compress(content)[2:-4],
        "checksum cut": stream[:-4] if len(stream) > 4 else b"",
        "checksum changed": stream[:-8] + rng.bytes(8),
        "bomb": pack(content + b"\0" * (1 << 27)),
    }
    name = list(variants)[rng.integers(len(variants))]
    return variants[name], name
