"""`covidseg evaluate`: from data and models to the tables and pictures of an evaluation."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from .. import models
from ..errors import InputError
from ..progress import Progress, part
from ..reporting import Reporter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("data", type=Path, metavar="DATA", help="folder of covid19_ct_seg_hu, covid_ct_md or both")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier results in OUT")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--model", help="name of an installed model; see `covidseg models`")
    which.add_argument("--compare", nargs="+", metavar="MODEL", help="two models or more, side by side, with tests")
    parser.add_argument(
        "--patients", nargs="+", metavar="NAME", help="only these patients and scans (default: those no model has seen)"
    )
    parser.add_argument("--card", action="store_true", help="put the numbers into the model's card")
    parser.add_argument("--device", default="auto", help="auto (the default), cpu or cuda")
    parser.add_argument("--progress", choices=["bar", "json", "none"], help="how to show progress")


def run(
    options: argparse.Namespace,
    say: Reporter,
    progress: Progress,
    held: Callable[[], AbstractContextManager[None]],
) -> None:
    """Evaluate, and write the results or nothing.

    Args:
        options: Of `add_arguments`.
        say: Told the end.
        progress: Told the stage; raises Cancelled to stop.
        held: While libraries load, an interruption waits.

    Raises:
        InputError: The arguments or the data cannot be used.
        Cancelled: From `progress`.
    """
    progress("Starting", 0.0)
    chosen = [models.find(name) for name in options.compare or [options.model]]
    if options.compare and len(set(options.compare)) < max(2, len(options.compare)):
        raise InputError("Give two different models or more to --compare.")
    if options.card and (options.compare or options.patients):
        raise InputError("A card holds all results of one model: --card goes with neither --compare nor --patients.")
    with held():
        from ..data import choose
        from .masks import evaluate_masks
        from .report import FILES, for_card, staging, write
        from .whole_scans import evaluate_whole_scans

    staging.check(options.output, FILES, overwrite=options.overwrite)
    wanted = choose.choose(options.data, chosen, options.patients)
    progress("Reading the cases", 0.02)
    cases = wanted.cases()
    slices = sum(len(case.axial) for case in cases)
    share = slices / (slices + 150 * len(wanted.scans))  # a whole scan has about that many
    results, scans = [], {}
    for number, model in enumerate(chosen):
        here = part(progress, 0.05 + 0.9 * number / len(chosen), 0.05 + 0.9 * (number + 1) / len(chosen))
        results += evaluate_masks(cases, model, device=options.device, progress=part(here, 0.0, share))
        scans[model.name] = (
            evaluate_whole_scans(
                wanted.data / choose.SCANS, model, wanted.scans, device=options.device, progress=part(here, share, 1.0)
            )
            if wanted.scans
            else {}
        )
    files = write(
        options.output, chosen, results, scans, overwrite=options.overwrite, progress=part(progress, 0.95, 1.0)
    )
    if options.card:
        _put_into_card(chosen[0], for_card(chosen[0], results, scans))
    say.done(options.output, files)


def _put_into_card(model: models.Model, results: dict[str, object]) -> None:
    card = model.folder / "card.json"
    new = card.with_name("card.json.new")
    new.write_text(json.dumps({**model.card, "results": results}, indent=1) + "\n", encoding="utf-8")
    new.replace(card)
