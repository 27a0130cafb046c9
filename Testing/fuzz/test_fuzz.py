"""Some fuzzing, with the same inputs in each run. `pytest -m fuzz --fuzz-seconds 600` takes longer."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

if not hasattr(os, "fork"):
    pytest.skip("needs fork", allow_module_level=True)

from fuzz import record
from fuzz.original import Original
from fuzz.run import fuzz, make_originals_in_child, mutant
from fuzz.trial import Outcome, try_input

from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume

#: More than fit into the time.
MANY = 1_000_000
#: Fewer tried inputs mean that reading has become slow, or that nothing was tried at all.
FEWEST = 15


@pytest.mark.fuzz
def test_mutants_are_refused_or_read_right(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    seconds = pytestconfig.getoption("--fuzz-seconds")
    seed = pytestconfig.getoption("--fuzz-seed")
    counts: Counter[str] = Counter()
    findings = []
    for number, (_, outcome) in enumerate(fuzz(seed, range(MANY), tmp_path / "findings", seconds)):
        counts[outcome.kind] += 1
        if outcome.is_finding:
            findings.append(f"seed {seed}, number {number}: {outcome.kind}: {outcome.detail}")
    print(dict(counts))
    assert not findings, "\n".join(findings)
    assert counts.total() >= FEWEST
    assert counts["agrees"] > 0.1 * counts.total()
    assert counts["refused"] > 0.1 * counts.total()


def test_mutants_are_the_same_in_each_run() -> None:
    originals = make_originals_in_child()
    assert originals == make_originals_in_child()
    for number in range(100):
        assert mutant(originals, 7, number) == mutant(originals, 7, number)


def test_pieces_of_a_run_make_one_table(tmp_path: Path) -> None:
    pieces = [record.Piece(1, 0), record.Piece(1, 2)]
    pieces[0].add("nrrd", "refused", 0.5, 90)
    pieces[0].add("dicom", "agrees", 1.25, 80)
    pieces[1].add("nrrd", "agrees", 0.1, 100)
    for piece in pieces:
        record.append(tmp_path / "record", piece)
    assert record.read(tmp_path / "record") == pieces
    lines = record.table(pieces).splitlines()
    assert lines[2:5] == [
        "| DICOM | 1 | 1 | 0 | 0 | 0 |",
        "| NRRD | 2 | 1 | 1 | 0 | 0 |",
        "| all | 3 | 2 | 1 | 0 | 0 |",
    ]
    assert lines[-1] == "Seed 1. The slowest input took 1.2 s, and the largest process 100 MB."
    pieces[1].add("nrrd", "crash", 0.1, 100)
    assert "| all | 4 | 2 | 1 | 0 | 1 |" in record.table(pieces)


def outcome_of(monkeypatch: pytest.MonkeyPatch, original: Original, read: object) -> Outcome:
    monkeypatch.setattr("fuzz.trial.read_volume", read)
    return try_input(original.write)


def test_every_kind_of_finding_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer itself is tested with readers that fail in each way."""
    original = next(item for item in make_originals_in_child() if item.name == "nrrd int16")

    def crash(path: Path) -> object:
        os.abort()

    def hang(path: Path) -> object:
        while True:
            pass

    def use_memory(path: Path) -> object:
        return np.ones(5 << 30, np.uint8)

    def fail(path: Path) -> object:
        raise KeyError("a defect")

    def refuse(message: str) -> object:
        def read(path: Path) -> object:
            raise InputError(message)

        return read

    def print_line(path: Path) -> object:
        os.write(2, b"libpng warning\n")
        return read_volume(path)

    def change_voxel(path: Path) -> object:
        volume = read_volume(path)
        volume.array[2, 3, 4] += 1
        return volume

    def move(path: Path) -> object:
        volume = read_volume(path)
        return replace(volume, grid=replace(volume.grid, origin=(0.0, 0.0, 0.0)))

    monkeypatch.setattr("fuzz.trial.SECONDS", 3.0)
    readers = {
        "crash": crash,
        "hang": hang,
        "memory": use_memory,
        "traceback": fail,
        "message": refuse("bad magic\x1b"),
        "refused": refuse("The file is damaged."),
        "output": print_line,
        "differs": change_voxel,
        "agrees": read_volume,
    }
    for kind, read in readers.items():
        assert outcome_of(monkeypatch, original, read).kind == kind
    assert "position" in outcome_of(monkeypatch, original, move).detail
