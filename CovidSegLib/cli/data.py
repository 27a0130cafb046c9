"""`covidseg data`: data sets are downloaded, checked, looked at and split."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from ..errors import InputError
from ..progress import Progress
from .reporter import Reporter

Held = Callable[[], AbstractContextManager[None]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    check = actions.add_parser("check", help="say what is wrong with every file, and how much data there is")
    check.add_argument("data", type=Path, metavar="DIR", help="folder of scans with masks, in any layout")
    check.set_defaults(act=_check)

    split = actions.add_parser("split", help="draw who is learnt from, validated and tested, by patient")
    split.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    split.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE", help="split.json; folds become split-1.json, ..."
    )
    split.add_argument("--seed", type=int, default=0, help="another seed draws otherwise (default: 0)")
    split.add_argument(
        "--validation", type=float, metavar="N", help="patients, or a share below 1 (default: 0.2; with --folds 1)"
    )
    number = split.add_mutually_exclusive_group()
    number.add_argument("--test", type=float, metavar="N", help="patients, or a share below 1 (default: 0.2)")
    number.add_argument("--folds", type=int, metavar="K", help="K splits, in which each patient is tested once")
    split.add_argument("--overwrite", action="store_true", help="replace earlier files")
    split.set_defaults(act=_split)

    preview = actions.add_parser("preview", help="draw some slices of each case with their masks")
    preview.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    preview.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png")
    preview.add_argument("--patients", nargs="+", metavar="NAME", help="only these (default: the first 24)")
    preview.add_argument("--overwrite", action="store_true", help="replace the file")
    preview.set_defaults(act=_preview)

    download = actions.add_parser("download", help="download a public data set, or list those that are known")
    download.add_argument("name", nargs="?", metavar="NAME", help="which (default: list them)")
    download.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for its files")
    download.set_defaults(act=_download)


def run(options: argparse.Namespace, say: Reporter, progress: Progress, held: Held) -> None:
    """Do it, and say on standard output what was found.

    Args:
        options: Of `add_arguments`.
        say: Told warnings.
        progress: Told the stage; raises Cancelled to stop.
        held: While libraries load, an interruption waits.

    Raises:
        InputError: It cannot be done, or something in the data cannot be used.
        Cancelled: From `progress`.
    """
    options.act(options, say, progress, held)


def _check(options: argparse.Namespace, say: Reporter, progress: Progress, held: Held) -> None:
    with held():
        from ..data.dataset import open_data
        from ..data.dataset_check import check_data

    data = open_data(options.data)
    found = check_data(data, progress)
    for findings in found.values():
        for warning in findings.warnings:
            say.warning(warning)
        for sentence in findings.unusable:
            print(sentence)
    usable = [entry for entry in data.entries if not found[entry.name].unusable]
    slices, infected = (
        sum(getattr(findings, what) for findings in found.values()) for what in ("slices", "infected_slices")
    )
    patients = len({entry.patient for entry in usable})
    print(
        f"{data.layout}: {patients} patients, {len(usable)} scans, {slices} slices, {infected} slices with infection",
        flush=True,
    )
    if broken := len(found) - len(usable):
        raise InputError(
            f"{broken} of {len(found)} scans cannot be used: put right what is said of them, or remove them."
        )
    if not found:
        raise InputError(f'"{options.data}" holds no scans with masks: check that the data set was copied completely.')


def _split(options: argparse.Namespace, say: Reporter, progress: Progress, held: Held) -> None:
    with held():
        from ..data import split
        from ..data.dataset import open_data

    names = open_data(options.data).patients
    chosen = {} if options.validation is None else {"validation": options.validation}
    if options.folds is None:
        if options.test is not None:
            chosen["test"] = options.test
        made = [split.make_split(names, options.seed, **chosen)]
        files = [options.output]
        split.write(options.output, made[0], overwrite=options.overwrite)
    else:
        made = split.make_folds(names, options.folds, options.seed, **chosen)
        files = split.write_folds(options.output, made, overwrite=options.overwrite)
    for file, each in zip(files, made, strict=True):
        print(
            f"{file}: {len(each.train)} to train on, {len(each.validation)} to validate on, {len(each.test)} to test on"
        )


def _preview(options: argparse.Namespace, say: Reporter, progress: Progress, held: Held) -> None:
    if options.output.suffix.lower() != ".png":
        raise InputError(f'"{options.output}" does not end in .png, which is what is written; give it such a name.')
    with held():
        from ..data import preview
        from ..data.dataset import open_data

    data = open_data(options.data)
    names = options.patients or data.patients
    if unknown := sorted(set(names) - set(data.patients)):
        raise InputError(
            f'In "{options.data}" there is no patient “{unknown[0]}”; there are: {", ".join(data.patients)}.'
        )
    cases = data.cases(names[: preview.MOST])  # a large data set has more than memory holds
    preview.draw(options.output, cases, overwrite=options.overwrite)
    print(f"Written: {options.output}, {min(len(cases), preview.MOST)} cases.")
    if len(names) > preview.MOST:
        print(f"Not looked at: {len(names) - preview.MOST} more patients; name them with --patients.")


def _download(options: argparse.Namespace, say: Reporter, progress: Progress, held: Held) -> None:
    from ..data import sources

    if options.name is None:
        for each in sources.load().values():
            print(sources.describe(each))
        return
    source = sources.find(options.name)
    if options.output is None:
        raise InputError(f"Give the folder for the data set: covidseg data download {options.name} -o DIR.")
    options.cancelled = "Cancelled; what came is kept, and the same command goes on from there."
    print(sources.describe(source), flush=True)  # the terms, before anything is taken
    with held():
        from ..data.download import download

    for folder in download(source, options.output):
        print(f"There: {folder}", flush=True)
