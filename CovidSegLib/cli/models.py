"""`covidseg models`: list, describe, verify, install, remove and export models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .. import models
from ..errors import InputError
from .printing import print_text
from .session import Session
from .tables import add_json, print_json, print_table

SUMMARY = "list, verify, install and remove models"
DESCRIPTION = "List the installed models and verify their weights; add, export and remove models."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `covidseg models` and their arguments; without an action it lists the models."""
    parser.set_defaults(action=_list, json=False)
    add_json(parser)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the installed models (the default)")
    add_json(listing)
    listing.set_defaults(action=_list)

    show = actions.add_parser("show", help="print a model card: intended use, training data, accuracy, limits")
    show.add_argument(
        "name", nargs="?", metavar="NAME", help="model, or folder of a finished run (default: the default model)"
    )
    show.set_defaults(action=_show)

    verify = actions.add_parser("verify", help="compare weights with the SHA-256 of their cards")
    verify.add_argument("names", nargs="*", metavar="NAME", help="models, or folders of runs (default: all installed)")
    verify.set_defaults(action=_verify)

    pack = actions.add_parser("pack", help="install a finished training run as a model")
    pack.add_argument("run_folder", type=Path, metavar="RUN", help="folder of the finished run")
    pack.add_argument("--name", required=True, help="name of the model")
    pack.add_argument("--into", type=Path, metavar="DIR", help="folder of models (default: your own)")
    pack.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    pack.set_defaults(action=_pack)

    calibrate = actions.add_parser("calibrate", help="choose temperature and threshold from an evaluation")
    calibrate.add_argument(
        "names", nargs="+", metavar="MODEL", help="runs of a cross-validation, or a model trained in the same way"
    )
    calibrate.add_argument(
        "--by", type=Path, required=True, metavar="OUT", help="results of `covidseg evaluate --runs`"
    )
    calibrate.set_defaults(action=_calibrate)

    install = actions.add_parser("install", help="install a model from a file, a folder or a URL")
    install.add_argument("source", metavar="FILE_OR_URL", help=".zip file, folder, or URL of a .zip file")
    install.add_argument("--name", help="name of the model (default: that of the file)")
    install.add_argument("--sha256", help="SHA-256 of the .zip file, or of model.safetensors in a folder")
    install.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    install.set_defaults(action=_install)

    remove = actions.add_parser("remove", help="remove one of your own models, without asking")
    remove.add_argument("name", metavar="NAME", help="model")
    remove.set_defaults(action=_remove)

    export = actions.add_parser("export", help="write a model to a .zip file for `covidseg models install`")
    export.add_argument("name", metavar="NAME", help="model, or folder of a finished run")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.zip", help="file to write")
    export.add_argument("--overwrite", action="store_true", help="replace the file")
    export.set_defaults(action=_export)


def run(session: Session) -> None:
    """Run one action and print what it has done.

    Raises:
        InputError: The arguments cannot be used, or a model is damaged.
        Cancelled: The user has stopped the run.
    """
    if session.options.json and session.options.action is not _list:
        raise InputError("--json prints the list of models: give it without another action.")
    session.options.action(session)


def _list(session: Session) -> None:
    if session.options.json:
        print_json([_record(name) for name in models.names()])
        return
    rows = []
    for name in models.names():
        try:
            model = models.find_model(name)
        except InputError as error:
            session.reporter.warning(str(error))
            rows.append([name, "-", "-", "unusable: its card is damaged"])
        else:
            rows.append([name, _origin(model), _size(model), f"{model.title}. {model.summary}"])
    print_table(["NAME", "ORIGIN", "SIZE", "DESCRIPTION"], rows)


def _record(name: str) -> dict[str, Any]:
    """Return what `covidseg models --json` says about a model; "error" takes the place of what cannot be read."""
    try:
        model = models.find_model(name)
    except InputError as error:
        return {"name": name, "error": str(error)}
    return {
        "name": name,
        "title": model.title,
        "summary": model.summary,
        "licence": model.card["licence"],
        "recipe": model.card["recipe"],
        "default": name == models.DEFAULT,
        "shipped": model.shipped,
        "weights": str(model.weights),
        "bytes": model.weights.stat().st_size if model.weights.is_file() else None,
    }


def _origin(model: models.Model) -> str:
    if model.name == models.DEFAULT:
        return "default"
    return "CovidSeg" if model.shipped else "yours"


def _size(model: models.Model) -> str:
    """Return the size of the weights in megabytes, or that they are missing."""
    return f"{model.weights.stat().st_size / 1e6:.1f} MB" if model.weights.is_file() else "missing"


def _show(session: Session) -> None:
    with session.defer_interrupts():
        from ..models.description import describe

    model = models.find_model(session.options.name)
    print_text(describe(model), end="")
    print_text(f"- Weights file: `{model.weights}`")


def _verify(session: Session) -> None:
    damaged = []
    for name in session.options.names or models.names():
        try:
            models.find_model(name).verified_weights()
        except InputError as error:
            damaged.append(name)
            print_text(f"{name}: {error}")
        else:
            print_text(f"{name}: verified")
    if damaged:
        raise InputError(f"Do not use {', '.join(damaged)}; the reasons are given above.")


def _pack(session: Session) -> None:
    options = session.options
    with session.defer_interrupts():
        from ..models.exporting import NotExportableError, export_model, with_graphs
        from ..models.store import add_model, check_name, read_model_files
        from ..runs.card import ensure_card

        check_name(options.name, options.into, overwrite=options.overwrite)  # before seconds of exporting
        run_model = ensure_card(options.run_folder)
        files = read_model_files(options.run_folder)
        try:
            files = with_graphs(files, export_model(run_model))
        except NotExportableError as error:
            session.reporter.warning(f"The model will run in PyTorch only, which is slower on a CPU: {error}.")
        _print_installed(add_model(files, options.name, options.into, overwrite=options.overwrite))


def _calibrate(session: Session) -> None:
    with session.defer_interrupts():
        from ..evaluation.model_calibration import calibrate_model

    for name in session.options.names:
        model = calibrate_model(models.find_model(name), session.options.by)
        patients = len(model.card["calibrated_on"])
        print_text(
            f"{model.name}: temperature {model.temperature:g}, threshold {model.threshold:g}, chosen on {patients} "
            "patients"
        )


def _install(session: Session) -> None:
    options = session.options
    with session.defer_interrupts():
        from ..models import loading  # noqa: F401  # imports torch, which takes seconds
        from ..models.archives import install

    _print_installed(install(options.source, name=options.name, sha256=options.sha256, overwrite=options.overwrite))


def _remove(session: Session) -> None:
    from ..models.store import remove

    remove(session.options.name)
    print_text(f"Removed: {session.options.name}.")


def _export(session: Session) -> None:
    options = session.options
    with session.defer_interrupts():
        from ..models.archives import export

        export(models.find_model(options.name), options.output, overwrite=options.overwrite)
    print_text(f"Written: {options.output}, {options.output.stat().st_size / 1e6:.1f} MB.")


def _print_installed(model: models.Model) -> None:
    print_text(f"{model.name}: {model.title}, {_size(model)}, SHA-256 {model.card['sha256']}, in {model.folder}")
