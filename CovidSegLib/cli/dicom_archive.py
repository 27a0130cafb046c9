"""`covidseg dicom send`, `fetch` and `serve`: exchange objects with an archive."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from .options import add_device, add_progress
from .options import probability as probability_option
from .printing import print_text
from .session import Session

if TYPE_CHECKING:
    from ..archive.address import Address
    from ..archive.destination import Destination
    from ..archive.outbox import Outbox
    from ..archive.tls import TlsFiles
    from ..archive.web import WebArchive

OWN_TITLE, PORT = "COVIDSEG", 11112
#: Seconds between two looks at the queue.
STEP_SECONDS = 0.5


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of `covidseg dicom`."""
    _add_send(actions)
    _add_fetch(actions)
    _add_serve(actions)


def _add_send(actions: Any) -> None:
    send = actions.add_parser(
        "send",
        help="send DICOM files to an archive",
        description="Send DICOM files to an archive. What it does not take is tried again, then kept in a queue.",
    )
    send.add_argument("files", type=Path, nargs="*", metavar="FILE", help="DICOM files, or folders of them")
    _add_destination(send)
    send.add_argument("--attempts", type=_count, default=3, help="how often to try before the queue (default: 3)")
    send.add_argument("--queued", action="store_true", help="send what is in the queue, to where it was to be sent")
    send.add_argument("--queue", type=Path, metavar="DIR", help="folder of the queue (default: your own)")
    add_progress(send)
    send.set_defaults(action=_send)


def _add_fetch(actions: Any) -> None:
    fetch = actions.add_parser(
        "fetch",
        help="fetch a CT from an archive by DICOMweb",
        description="Fetch a CT series from an archive by DICOMweb: all images, or none.",
    )
    fetch.add_argument("url", metavar="URL", help="address of the archive, such as https://pacs/dicom-web")
    fetch.add_argument("-o", "--output", type=Path, metavar="OUT", help="empty or new folder for the images")
    fetch.add_argument("--study", metavar="UID", help="Study Instance UID")
    fetch.add_argument("--series", metavar="UID", help="Series Instance UID")
    fetch.add_argument("--patient", metavar="ID", help="patient ID")
    fetch.add_argument("--accession", metavar="NUMBER", help="accession number")
    fetch.add_argument("--list", action="store_true", help="list the CT series that fit, and fetch nothing")
    _add_web(fetch)
    _add_timeout(fetch)
    add_progress(fetch)
    fetch.set_defaults(action=_fetch)


def _add_serve(actions: Any) -> None:
    serve = actions.add_parser(
        "serve",
        help="receive chest CTs, segment them, and send the results back",
        description="Listen for chest CTs, segment each, and send segmentations and report to an archive. "
        "Stop it with Ctrl-C. The next start resumes the queue.",
    )
    serve.add_argument("--queue", type=Path, required=True, metavar="DIR", help="folder for what is not finished")
    serve.add_argument(
        "--allow", action="append", required=True, metavar="TITLE", help="AE title that may connect (repeatable)"
    )
    serve.add_argument("--port", type=int, default=PORT, help=f"TCP port (default: {PORT})")
    serve.add_argument(
        "--host", default="127.0.0.1", help="network interface (default: this computer only; 0.0.0.0 for all)"
    )
    _add_destination(serve)
    serve.add_argument(
        "--encrypt", action="store_true", help="accept encrypted connections only; needs --tls-cert and --tls-key"
    )
    serve.add_argument(
        "--quiet",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="a series is complete when no image has arrived for this time (default: 30)",
    )
    serve.add_argument("--model", help="installed model; see `covidseg models`")
    serve.add_argument("--threshold", type=probability_option, help="probability from which a voxel is infection")
    serve.add_argument("--report", action="store_true", help="also send a report as encapsulated PDF")
    add_device(serve)
    add_progress(serve)
    serve.set_defaults(action=_serve)


def _add_destination(parser: argparse.ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--to", metavar="TITLE@HOST:PORT", help="DICOM node to send to (C-STORE)")
    group.add_argument("--stow", metavar="URL", help="DICOMweb archive to send to, such as https://pacs/dicom-web")
    parser.add_argument("--title", default=OWN_TITLE, help=f"AE title of CovidSeg (default: {OWN_TITLE})")
    parser.add_argument("--tls", action="store_true", help="encrypt the connection to the DICOM node")
    parser.add_argument("--tls-cert", type=Path, metavar="FILE", help="certificate of CovidSeg (PEM)")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="private key of --tls-cert (PEM)")
    _add_web(parser)
    _add_timeout(parser)


def _add_web(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tls-ca", type=Path, metavar="FILE", help="authorities that are trusted (PEM; default: those of the system)"
    )
    parser.add_argument("--user", help="user of the DICOMweb archive; the password is in COVIDSEG_DICOMWEB_PASSWORD")


def _add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout", type=_seconds, default=30.0, metavar="SECONDS", help="time to wait for an answer (default: 30)"
    )


def _send(session: Session) -> None:
    options = session.options
    session.progress("Starting", 0.0)
    with session.defer_interrupts():
        from ..archive.outbox import Outbox, user_outbox

    outbox = Outbox(options.queue or user_outbox())
    if options.queued:
        if options.files or options.to or options.stow:
            raise InputError("--queued sends what is in the queue: give neither files nor a destination.")
        with outbox.locked():
            _send_queued(session, outbox)
        return
    if not options.files:
        raise InputError("Name the DICOM files to send, or give --queued.")
    _send_files(session, outbox)


def _send_files(session: Session, outbox: Outbox) -> None:
    from ..archive.destination import send_with_retries
    from ..archive.files import list_outgoing

    options = session.options
    destination = _destination(options)
    files = list_outgoing(options.files)
    done = 0

    def sent(file: object) -> None:
        nonlocal done
        done += 1
        session.progress("Sending", done / len(files) * 0.99)

    remaining, failure = send_with_retries(destination, files, attempts=options.attempts, sent=sent)
    if failure is not None:
        outbox.add([file.path for file in remaining], destination)
        raise InputError(
            f"{failure} {len(remaining)} of {len(files)} objects were not sent. They are kept in "
            f'"{outbox.folder}": send them later with `covidseg dicom send --queued`.'
        )
    print_text(f"Sent: {len(files)} objects to {destination}.")


def _send_queued(session: Session, outbox: Outbox) -> None:
    entries, count, failures = outbox.entries(), 0, []
    for number, entry in enumerate(entries, start=1):
        try:
            count += outbox.deliver(entry)
        except InputError as error:
            failures.append(str(error))
        session.progress("Sending", number / len(entries) * 0.99)
    if damaged := outbox.damaged():
        failures.append(f'"{damaged[0]}" is damaged. Move its files away, and send them again.')
    if failures:
        total = len(entries) + len(damaged)
        raise InputError(
            f"{failures[-1]} {len(failures)} of {total} entries of the queue were not sent; they are kept."
        )
    print_text(f"Sent: {count} objects. The queue is empty.")


def _fetch(session: Session) -> None:
    options = session.options
    if options.list == (options.output is not None):
        raise InputError("Give either --output, the folder for the images, or --list.")
    session.progress("Starting", 0.0)
    with session.defer_interrupts():
        from ..archive.fetch import choose, fetch_series, find_series

    archive = _web(options, options.url)
    found = find_series(
        archive,
        study=options.study,
        series=options.series,
        patient=options.patient,
        accession=options.accession,
    )
    if options.list:
        for item in found:
            print_text(str(item))
        return
    files = fetch_series(archive, choose(found), options.output, session.progress)
    session.reporter.done(options.output, files)


def _serve(session: Session) -> None:
    options, reporter = session.options, session.reporter
    with session.defer_interrupts():
        from ..archive.address import checked_title
        from ..archive.node import NodeSettings, ReceivingNode
        from ..archive.service import Service, child_segmenter, prepared_queue

    destination = _destination(options)
    tls = _tls(options) if options.encrypt else None
    if tls is not None:
        tls.server_context()  # checks the files before anything is done
    settings = NodeSettings(
        checked_title(options.title),
        options.host,
        options.port,
        [checked_title(title) for title in options.allow],
        tls,
    )
    with prepared_queue(options.queue):
        node = ReceivingNode(options.queue / "receiving", settings, reporter.warning)
        segment = child_segmenter(_segment_options(options))
        service = Service(
            options.queue, node, destination, segment, quiet=options.quiet, log=lambda text: reporter.line(text)
        )
        node.start()
        try:
            reporter.line(f"{settings.title} listens on {settings.host}, port {node.port}. Stop it with Ctrl-C.")
            _run_service(session, service)
        finally:
            node.stop()
            series, results = service.waiting()
            session.on_cancel = (
                f"Stopped. {series} series and {results} results wait in the queue. The next start resumes them."
            )


def _run_service(session: Session, service: Any) -> None:
    reported = ""
    while True:
        try:
            service.step()
            reported = ""
        except InputError as error:  # such as a full disk: what is in the queue is kept, and tried again
            if str(error) != reported:
                session.reporter.warning(str(error))
            reported = str(error)
        time.sleep(STEP_SECONDS)


def _segment_options(options: argparse.Namespace) -> list[str]:
    named = {"--model": options.model, "--threshold": options.threshold, "--device": options.device}
    given = [part for name, value in named.items() if value is not None for part in (name, str(value))]
    given += ["--report"] if options.report else []
    return [*given, "--skip", "labels", "--skip", "surfaces", "--skip", "overview"]


def _destination(options: argparse.Namespace) -> Destination:
    from ..archive.address import checked_title
    from ..archive.store import StoreDestination
    from ..archive.stow import StowDestination

    if options.stow:
        archive = _web(options, options.stow)
        archive.client()  # checks address and password before anything is done
        return StowDestination(archive)
    if not options.to:
        raise InputError("Say where to send: give --to with the DICOM node, or --stow with the DICOMweb archive.")
    tls = _tls(options) if options.tls else None
    if tls is not None:
        tls.client_context()
    return StoreDestination(_address(options.to), checked_title(options.title), options.timeout, tls)


def _address(text: str) -> Address:
    from ..archive.address import Address

    return Address.parse(text)


def _tls(options: argparse.Namespace) -> TlsFiles:
    from ..archive.tls import TlsFiles

    return TlsFiles(options.tls_cert, options.tls_key, options.tls_ca)


def _web(options: argparse.Namespace, url: str) -> WebArchive:
    from ..archive.web import WebArchive

    return WebArchive(url, options.user, options.timeout, options.tls_ca)


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= 100:
        return int(text)
    raise argparse.ArgumentTypeError("a whole number from 1 to 100 is needed")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if 0.0 < value < 86400.0:
        return value
    raise argparse.ArgumentTypeError("a number of seconds greater than 0 is needed")
