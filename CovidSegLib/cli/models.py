"""`covidseg models`: what is installed and whether it is whole; models put in place, removed and passed on."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from .. import models
from ..errors import InputError

Held = Callable[[], AbstractContextManager[None]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command; without any it lists."""
    parser.set_defaults(act=_list)
    actions = parser.add_subparsers(metavar="ACTION")
    listing = actions.add_parser("list", help="list the installed models (the default)")
    listing.set_defaults(act=_list)

    show = actions.add_parser("show", help="print the card of a model: what it is for, how good, where it fails")
    show.add_argument("name", nargs="?", metavar="NAME", help="which, or the folder of a finished run (the default)")
    show.set_defaults(act=_show)

    verify = actions.add_parser("verify", help="compare weights with the SHA-256 of their cards")
    verify.add_argument("names", nargs="*", metavar="NAME", help="which, or folders of runs (default: all installed)")
    verify.set_defaults(act=_verify)

    pack = actions.add_parser("pack", help="put a finished run of a training among the models")
    pack.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a training that has ended")
    pack.add_argument("--name", required=True, help="what the model will be called")
    pack.add_argument("--into", type=Path, metavar="DIR", help="folder of models (default: your own)")
    pack.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    pack.set_defaults(act=_pack)

    calibrate = actions.add_parser("calibrate", help="choose temperature and threshold by an evaluation")
    calibrate.add_argument("names", nargs="+", metavar="MODEL", help="runs of a cross-validation, or a model like them")
    calibrate.add_argument(
        "--by", type=Path, required=True, metavar="OUT", help="results of `covidseg evaluate --runs`"
    )
    calibrate.set_defaults(act=_calibrate)

    install = actions.add_parser("install", help="put a model from a file, a folder or an address among the models")
    install.add_argument("source", metavar="FILE_OR_URL", help=".zip file, folder, or address of a .zip file")
    install.add_argument("--name", help="what the model will be called (default: as the file)")
    install.add_argument("--sha256", help="of the .zip file, or of model.safetensors in a folder")
    install.add_argument("--overwrite", action="store_true", help="replace a model of that name")
    install.set_defaults(act=_install)

    remove = actions.add_parser("remove", help="remove a model of your own, without asking")
    remove.add_argument("name", metavar="NAME")
    remove.set_defaults(act=_remove)

    export = actions.add_parser("export", help="write a model as a .zip file, for `covidseg models install`")
    export.add_argument("name", metavar="NAME", help="which, or the folder of a finished run")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE.zip")
    export.add_argument("--overwrite", action="store_true", help="replace the file")
    export.set_defaults(act=_export)


def run(options: argparse.Namespace, held: Held) -> None:
    """Do it, and say on standard output what was done.

    Args:
        options: Of `add_arguments`.
        held: While libraries load and files are put in place, an interruption waits.

    Raises:
        InputError: It cannot be done; says why.
    """
    options.act(options, held)


def _list(options: argparse.Namespace, held: Held) -> None:
    for name in models.names():
        try:
            model = models.find_model(name)
            size = f"{model.weights.stat().st_size / 1e6:.1f} MB" if model.weights.is_file() else "missing"
        except InputError as error:
            print(f"{name}: {error}")
            continue
        default = " (default)" if name == models.DEFAULT else "" if model.shipped else " (yours)"
        print(f"{name}{default}: {model.title}. {model.summary}")
        print(f"    licence: {model.card['licence']}")
        print(f"    {model.weights}, {size}", flush=True)


def _show(options: argparse.Namespace, held: Held) -> None:
    with held():
        from ..models.description import describe

    print(describe(models.find_model(options.name)), end="", flush=True)


def _verify(options: argparse.Namespace, held: Held) -> None:
    wrong = []
    for name in options.names or models.names():
        try:
            models.find_model(name).verified_weights()
        except InputError as error:
            wrong.append(name)
            print(f"{name}: {error}", flush=True)
        else:
            print(f"{name}: whole", flush=True)
    if wrong:
        raise InputError(f"Not to be used: {', '.join(wrong)}; the reasons stand above.")


def _pack(options: argparse.Namespace, held: Held) -> None:
    with held():
        from ..models import store
        from ..runs.card import ensure_card

        ensure_card(options.run_folder)
        _told(
            store.add_model(
                store.read_model_files(options.run_folder), options.name, options.into, overwrite=options.overwrite
            )
        )


def _calibrate(options: argparse.Namespace, held: Held) -> None:
    with held():
        from ..evaluation.temperature import calibrate_model

    for name in options.names:
        model = calibrate_model(models.find_model(name), options.by)
        patients = len(model.card["calibrated_on"])
        print(f"{model.name}: temperature {model.temperature:g}, threshold {model.threshold:g}, by {patients} patients")


def _install(options: argparse.Namespace, held: Held) -> None:
    with held():
        from ..models import loading  # noqa: F401  # torch takes seconds
        from ..models.archives import install

    _told(install(options.source, name=options.name, sha256=options.sha256, overwrite=options.overwrite))


def _remove(options: argparse.Namespace, held: Held) -> None:
    from ..models.store import remove

    remove(options.name)
    print(f"Removed: {options.name}.")


def _export(options: argparse.Namespace, held: Held) -> None:
    with held():
        from ..models.archives import export

        export(models.find_model(options.name), options.output, overwrite=options.overwrite)
    print(f"Written: {options.output}, {options.output.stat().st_size / 1e6:.1f} MB.")


def _told(model: models.Model) -> None:
    size = model.weights.stat().st_size / 1e6
    print(f"{model.name}: {model.title}, {size:.1f} MB, SHA-256 {model.card['sha256']}, in {model.folder}")
