"""Fetch a public image set: download with resume, check its SHA-256, unpack it as a zip from a stranger.

Where no trustworthy source states a checksum, the first download's is noted beside the file, and every later
use is checked against it: a changed file is noticed, the first one is taken on trust.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pooch
import requests

from bloodcell.core.errors import DatasetError, IntakeError
from bloodcell.core.progress import OnProgress
from bloodcell.core.settings import Settings
from bloodcell.datasets.public.public_sets import PUBLIC_SETS, PublicSet
from bloodcell.datasets.public.resumable_download import ResumingDownloader
from bloodcell.datasets.sources.archives import SafeZip

__all__ = ["PUBLIC_SETS", "PublicSet", "download_public_set", "get_public_set", "get_zip_path"]

MAX_UNPACKED_BYTES: Final = 16 * 2**30
MAX_MEMBER_BYTES: Final = 2**30


def get_public_set(name: str) -> PublicSet:
    """The set of that name; DatasetError names those there are."""
    for public in PUBLIC_SETS:
        if public.name == name:
            return public
    raise DatasetError(f"There is no public set {name!r}. Known: {[public.name for public in PUBLIC_SETS]}.")


def get_zip_path(public: PublicSet, settings: Settings) -> Path:
    """Where the set's zip is kept, and where to put it by hand."""
    return settings.datasets_dir / "downloads" / public.file_name


def download_public_set(
    name: str,
    settings: Settings,
    on_progress: OnProgress | None = None,
    on_message: Callable[[str], None] | None = None,
) -> Path:
    """Download, check and unpack one public set, unless that is done already.

    A download that was cut off goes on where it stopped. A zip put by hand at `get_zip_path` is checked and used.

    Parameters
    ----------
    name : of `PUBLIC_SETS`
    settings : Settings
    on_progress : called as (done_bytes, total_bytes) while downloading; total is 0 if the server does not tell
    on_message : called with a sentence on how the file was checked

    Returns
    -------
    Path
        The folder with the unpacked files.

    Raises
    ------
    DatasetError
        If the name is unknown, the file cannot be had, its checksum is wrong, or it cannot be unpacked.
    """
    public = get_public_set(name)
    folder = settings.datasets_dir / public.name
    if folder.is_dir() and any(folder.iterdir()):
        return folder  # it came there whole, by a rename, or was put there by hand
    archive = get_zip_path(public, settings)
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            _download(public, archive, on_progress)
        message = _check_sha256(public, archive)
        if on_message is not None:
            on_message(message)
        _unpack(archive, folder)
    except OSError as error:
        raise DatasetError(f"The set {name} cannot be stored in {folder}: {error.strerror or error}.") from error
    return folder


def _download(public: PublicSet, archive: Path, on_progress: OnProgress | None) -> None:
    if not public.url:
        raise DatasetError(
            f"The set {public.name} needs an account at its source: download it from {public.source} in the browser "
            f"and put the zip at {archive}, then run this again."
        )
    pooch.get_logger().setLevel("WARNING")
    part = archive.with_name(archive.name + ".part")
    try:
        pooch.retrieve(
            public.url,
            known_hash=public.sha256 or _read_noted_sha256(archive),
            fname=archive.name,
            path=archive.parent,
            downloader=ResumingDownloader(part, on_progress),
        )
    except requests.exceptions.RequestException as error:
        raise DatasetError(
            f"{public.file_name} could not be downloaded from {public.url} ({_name_cause(error)}): try again later, or "
            f"download it from {public.source} in the browser and put it at {archive}."
        ) from error
    except ValueError as error:  # pooch: the hash does not match
        raise DatasetError(
            f"{public.file_name} from {public.url} is not the file expected (its SHA-256 differs) and was thrown "
            f"away: try again, or see {public.source} and put a right one at {archive}."
        ) from error


def _name_cause(error: requests.exceptions.RequestException) -> str:
    if error.response is not None:
        return f"the server answered {error.response.status_code}"
    if isinstance(error, requests.exceptions.Timeout):
        return "the server does not answer"
    return "no connection"


def _get_checksum_path(archive: Path) -> Path:
    return archive.with_name(archive.name + ".sha256")


def _read_noted_sha256(archive: Path) -> str | None:
    note = _get_checksum_path(archive)
    return note.read_text().split()[0] if note.exists() else None


def _check_sha256(public: PublicSet, archive: Path) -> str:
    """Compare the zip with the stated or noted SHA-256, or note it; the sentence to tell the user."""
    with archive.open("rb") as stream:
        received = hashlib.file_digest(stream, "sha256").hexdigest()
    expected = public.sha256 or _read_noted_sha256(archive)
    if expected is None:
        _get_checksum_path(archive).write_text(f"{received}  {archive.name}\n")
        return (
            f"No source states a checksum for {archive.name}; its SHA-256 {received} is noted and will be checked "
            "from now on."
        )
    if received != expected:
        raise DatasetError(
            f"{archive} is not the file expected: SHA-256 {expected[:12]}... is allowed. Received: "
            f"{received[:12]}...; delete it"
            + ("" if public.sha256 else f" (and {_get_checksum_path(archive).name}, if the change is meant)")
            + " and run this again."
        )
    source = public.sha256_source if public.sha256 else "noted at the first download"
    return f"The SHA-256 of {archive.name} is right ({source})."


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into a folder beside, then rename: a folder that is there is whole."""
    waiting = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(waiting, ignore_errors=True)
    try:
        with archive.open("rb", buffering=0) as stream:
            _write_members(stream, waiting)
    except IntakeError as error:
        shutil.rmtree(waiting, ignore_errors=True)
        raise DatasetError(f"{archive} cannot be unpacked: {error}") from error
    except OSError:
        shutil.rmtree(waiting, ignore_errors=True)
        raise
    if folder.is_dir():
        folder.rmdir()  # an empty one, as `download_public_set` has seen
    os.replace(waiting, folder)


def _write_members(stream: io.RawIOBase, waiting: Path) -> None:
    waiting.mkdir(parents=True)
    with SafeZip(stream, max_member_bytes=MAX_MEMBER_BYTES, max_total_bytes=MAX_UNPACKED_BYTES) as safe_zip:
        _write_plain_members(safe_zip, waiting)


def _write_plain_members(safe_zip: SafeZip, waiting: Path) -> None:
    for info in safe_zip.members:
        problem = safe_zip.problem(info)
        if problem:
            raise IntakeError(f"{info.filename!r}: {problem}")
        parts = [part for part in info.filename.replace("\\", "/").split("/") if part not in ("", ".")]
        if "__MACOSX" in parts or parts[-1].startswith("."):
            continue
        path = waiting.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(safe_zip.read(info))
