"""The record of fuzz runs: a line of JSON for each, and a table of all of them.

    python Testing/fuzz/record.py RECORD.jsonl --output docs/tables/fuzz.md

A long run can be done in pieces (`run.py --first`), on several days or computers; `cat` joins their records.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

#: Outcomes in the order of the columns. All others are findings.
FINE = {"agrees": "read right", "refused": "refused", "not compared": "not compared"}
KINDS = {"dicom": "DICOM", "metaimage": "MetaImage", "nifti": "NIfTI", "nrrd": "NRRD"}


@dataclass
class Piece:
    """A run.

    Attributes:
        seed: Its seed.
        first: Number of its first mutant.
        counts: Number of inputs by their kind and outcome.
        slowest: Longest time in s of reading an input.
        largest_mb: Peak memory in MB of the largest process.
    """

    seed: int
    first: int
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    slowest: float = 0.0
    largest_mb: int = 0

    def add(self, kind: str, outcome: str, seconds: float, memory_mb: int) -> None:
        """Count an input."""
        row = self.counts.setdefault(kind, {})
        row[outcome] = row.get(outcome, 0) + 1
        self.slowest, self.largest_mb = max(self.slowest, seconds), max(self.largest_mb, memory_mb)

    @property
    def tried(self) -> int:
        """Number of inputs."""
        return sum(sum(row.values()) for row in self.counts.values())


def append(path: Path, piece: Piece) -> None:
    """Add a run to a record."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(piece)) + "\n")


def read(path: Path) -> list[Piece]:
    """Read a record."""
    return [Piece(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def table(pieces: list[Piece]) -> str:
    """Number of inputs by kind and outcome, the slowest and the largest one, in Markdown."""
    counts: dict[str, Counter[str]] = {}
    for piece in pieces:
        for kind, row in piece.counts.items():
            counts.setdefault(kind, Counter()).update(row)
    found = sorted({outcome for row in counts.values() for outcome in row} - FINE.keys())
    titles = ["input", "tried", *FINE.values(), *(found or ["findings"])]
    lines = [f"| {' | '.join(titles)} |", "| --- |" + " ---: |" * (len(titles) - 1)]
    total = sum(counts.values(), Counter[str]())
    for name, row in [*((KINDS[kind], counts[kind]) for kind in sorted(counts)), ("all", total)]:
        cells = [row.total(), *(row[outcome] for outcome in FINE), *([row[outcome] for outcome in found] or [0])]
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    slowest, largest = max(piece.slowest for piece in pieces), max(piece.largest_mb for piece in pieces)
    seeds = ", ".join(map(str, sorted({piece.seed for piece in pieces})))
    word = "Seeds" if "," in seeds else "Seed"
    last = f"{word} {seeds}. The slowest input took {slowest:.1f} s, and the largest process {largest} MB."
    return "\n".join([*lines, "", last])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path)
    parser.add_argument("--output", type=Path, help="file for the table, in Markdown")
    options = parser.parse_args()
    text = table(read(options.record))
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
