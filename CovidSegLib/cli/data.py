"""`covidseg data`: download, check, preview and split data sets."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from ..errors import InputError
from .printing import print_text
from .session import Session
from .tables import add_json, print_json, print_table

SUMMARY = "download, check, preview and split data sets"
DESCRIPTION = "Download data sets for training and evaluation, check and preview them, and split them by patient."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `covidseg data` and their arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True)

    check = actions.add_parser("check", help="check every file of a data set, and count its scans and slices")
    check.add_argument("data", type=Path, metavar="DIR", help="folder of scans with masks, in any supported layout")
    check.set_defaults(action=_check)

    split = actions.add_parser("split", help="divide the patients into training, validation and test patients")
    split.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    split.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="file to write, such as split.json; with --folds split-1.json, split-2.json, ...",
    )
    split.add_argument("--seed", type=int, default=0, help="seed of the random split (default: 0)")
    split.add_argument(
        "--validation",
        type=float,
        metavar="N",
        help="number of validation patients, or a fraction below 1 (default: 0.2; with --folds 1)",
    )
    number = split.add_mutually_exclusive_group()
    number.add_argument(
        "--test", type=float, metavar="N", help="number of test patients, or a fraction below 1 (default: 0.2)"
    )
    number.add_argument("--folds", type=int, metavar="K", help="write K splits for cross-validation")
    split.add_argument("--overwrite", action="store_true", help="replace earlier files")
    split.set_defaults(action=_split)

    preview = actions.add_parser("preview", help="draw some slices of each case with their masks")
    preview.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    preview.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.png", help="picture to write")
    preview.add_argument("--patients", nargs="+", metavar="NAME", help="only these patients (default: the first 24)")
    preview.add_argument("--overwrite", action="store_true", help="replace the file")
    preview.set_defaults(action=_preview)

    show = actions.add_parser("show", help="print the licence, citation, page and files of a public data set")
    show.add_argument("name", metavar="NAME", help="data set, as listed by `covidseg data download`")
    show.set_defaults(action=_show)

    download = actions.add_parser("download", help="download a public data set, or list the known ones")
    download.add_argument("name", nargs="?", metavar="NAME", help="data set to download (default: list them)")
    add_json(download)
    download.set_defaults(json=False)
    download.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder for the files")
    download.set_defaults(action=_download)


def run(session: Session) -> None:
    """Run one action and print what it has done.

    Raises:
        InputError: The arguments cannot be used, or some of the data cannot be used.
        Cancelled: The user has stopped the run.
    """
    session.options.action(session)


def _check(session: Session) -> None:
    with session.defer_interrupts():
        from ..data.dataset import open_data
        from ..data.dataset_check import check_data

    folder = session.options.data
    data = open_data(folder)
    by_scan = check_data(data, session.progress)
    for findings in by_scan.values():
        for warning in findings.warnings:
            session.reporter.warning(warning)
        for sentence in findings.errors:
            print_text(sentence)
    usable = [entry for entry in data.entries if not by_scan[entry.name].errors]
    patients = len({entry.patient for entry in usable})
    slices = sum(findings.slices for findings in by_scan.values())
    infected = sum(findings.infected_slices for findings in by_scan.values())
    print_text(
        f"{data.layout}: {patients} patients, {len(usable)} scans, {slices} slices, {infected} slices with infection"
    )
    if unusable := len(by_scan) - len(usable):
        raise InputError(f"{unusable} of {len(by_scan)} scans cannot be used: correct the files above or remove them.")
    if not by_scan:
        raise InputError(f'"{folder}" holds no scans with masks: check that the data set was copied completely.')


def _split(session: Session) -> None:
    with session.defer_interrupts():
        from ..data import split as splits
        from ..data import split_files
        from ..data.dataset import open_data

    options = session.options
    patients = open_data(options.data).patients
    sizes = {} if options.validation is None else {"validation": options.validation}
    if options.folds is None:
        if options.test is not None:
            sizes["test"] = options.test
        made = [splits.make_split(patients, options.seed, **sizes)]
        files = [options.output]
        split_files.write_split(options.output, made[0], overwrite=options.overwrite)
    else:
        made = splits.make_folds(patients, options.folds, options.seed, **sizes)
        files = split_files.write_folds(options.output, made, overwrite=options.overwrite)
    for file, split in zip(files, made, strict=True):
        print_text(
            f"{file}: {len(split.train)} patients to train, {len(split.validation)} to validate, "
            f"{len(split.test)} to test"
        )


def _preview(session: Session) -> None:
    options = session.options
    if options.output.suffix.lower() != ".png":
        raise InputError(f'The preview is a PNG file: give "{options.output}" a name that ends in .png.')
    with session.defer_interrupts():
        from ..data import preview
        from ..data.dataset import open_data

    data = open_data(options.data)
    names = options.patients or data.patients
    if unknown := sorted(set(names) - set(data.patients)):
        raise InputError(
            f'In "{options.data}" there is no patient "{unknown[0]}"; there are: {", ".join(data.patients)}.'
        )
    cases = data.cases(names[: preview.MAX_CASES])  # a large data set does not fit into memory
    preview.draw_preview(options.output, cases, overwrite=options.overwrite)
    print_text(f"Written: {options.output}, {min(len(cases), preview.MAX_CASES)} cases.")
    if len(names) > preview.MAX_CASES:
        print_text(f"Not shown: {len(names) - preview.MAX_CASES} more patients; select them with --patients.")


def _list_sources(session: Session) -> None:
    from ..data import sources

    known = sources.load_sources().values()
    if session.options.json:
        print_json([dataclasses.asdict(source) for source in known])
    else:
        rows = [[source.name, "yes" if source.files else "by hand", source.title] for source in known]
        print_table(["NAME", "DOWNLOAD", "TITLE"], rows)


def _show(session: Session) -> None:
    from ..data import sources

    print_text(sources.describe_source(sources.known_source(session.options.name)))


def _download(session: Session) -> None:
    from ..data import sources

    options = session.options
    if options.name is None:
        _list_sources(session)
        return
    if options.json:
        raise InputError("--json prints the list of data sets: give it without a name.")
    source = sources.find_source(options.name)
    if options.output is None:
        raise InputError(f"Give the folder for the data set: covidseg data download {options.name} -o DIR.")
    session.on_cancel = "Cancelled; the downloaded part is kept. Run the same command again to continue."
    print_text(sources.describe_source(source))  # the licence, before anything is downloaded
    with session.defer_interrupts():
        from ..data.download import download

    for folder in download(source, options.output):
        print_text(f"Downloaded: {folder}")
