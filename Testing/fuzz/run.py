"""Read mutants of valid CTs, and report those that are not refused with a sentence or read right.

    python Testing/fuzz/run.py --count 20000 --seed 1 --findings FOLDER
    python Testing/fuzz/run.py --again NUMBER --seed 1
    python Testing/fuzz/run.py --first 5000 --count 1000 --seed 1 --record RECORD.jsonl

Mutant NUMBER of a seed is always the same. Each is read in a process of its own, with 20 seconds and 4 GB. What is read
is compared with an independent reader. Findings are stored with their files. Exit code 1: there are findings.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from fuzz.dicom_mutations import mutate_dicom
from fuzz.header_mutations import mutate_image
from fuzz.original import Original
from fuzz.originals import make_originals
from fuzz.record import Piece, append, table
from fuzz.trial import Outcome, store, try_input

#: Probability of one, two and three mutations of one input.
MUTATIONS = (0.7, 0.2, 0.1)


def mutant(originals: list[Original], seed: int, number: int) -> tuple[Original, list[str]]:
    """Return mutant `number` of a seed, and what was changed."""
    rng = np.random.default_rng([seed, number])
    original = originals[number % len(originals)]
    others = [other for other in originals if other.kind == original.kind]
    changes = []
    for _ in range(1 + int(rng.choice(len(MUTATIONS), p=MUTATIONS))):
        mutate = mutate_dicom if original.kind == "dicom" else mutate_image
        original, change = mutate(rng, original, others)
        changes.append(change)
    return replace(original), changes


def fuzz(
    seed: int, numbers: range, findings: Path | None, seconds: float = float("inf")
) -> Iterator[tuple[str, Outcome]]:
    """Try mutants of a seed until the time is over. Yield the kind of input and the outcome of each."""
    originals, end = make_originals_in_child(), time.monotonic() + seconds
    for number in numbers:
        if time.monotonic() > end:
            return
        changed, changes = mutant(originals, seed, number)
        outcome = try_input(changed.write)
        if outcome.kind == "hang":  # once more: on a busy computer, a process may get no time
            outcome = try_input(changed.write)
        if outcome.is_finding and findings is not None:
            history = {"seed": seed, "number": number, "original": changed.name, "changes": changes}
            store(findings, f"{outcome.kind.replace(' ', '-')}-{seed}-{number}", changed.write, outcome, history)
        yield changed.kind, outcome


def make_originals_in_child() -> list[Original]:
    """Make the originals in another process, because this one must not start ITK's threads before it forks."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(make_originals).result()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="number of mutants")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for findings")
    parser.add_argument("--record", type=Path, help="file to which the numbers of this run are added; see record.py")
    parser.add_argument(
        "--again", type=int, metavar="NUMBER", help="try one mutant, store its files, and print the outcome"
    )
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.count)
    if options.again is not None:
        numbers = range(options.again, options.again + 1)
    piece, start = Piece(options.seed, numbers.start), time.monotonic()
    has_findings = False
    for kind, outcome in fuzz(options.seed, numbers, options.findings, options.seconds):
        piece.add(kind, outcome.kind, outcome.seconds, outcome.memory_mb)
        has_findings |= outcome.is_finding
        if outcome.is_finding or options.again is not None:
            print(json.dumps({"kind": outcome.kind, "detail": outcome.detail}), flush=True)
        if piece.tried % 500 == 0:
            print(f"{piece.tried} tried in {time.monotonic() - start:.0f} s", flush=True)
    print(table([piece]))
    if options.record:
        append(options.record, piece)
    return has_findings


if __name__ == "__main__":
    sys.exit(main())
