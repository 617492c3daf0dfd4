"""Download a public image set: resume, check its SHA-256, and unpack it as an untrusted zip.

If no trustworthy source states a checksum, that of the first download is noted beside the file, and every later use is
checked against it: a changed file is noticed, but the first one is trusted.
"""

import hashlib
import io
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
    """Return the set with this name; DatasetError lists the available ones."""
    for public_set in PUBLIC_SETS:
        if public_set.name == name:
            return public_set
    available = ", ".join(public_set.name for public_set in PUBLIC_SETS)
    raise DatasetError(f"There is no public set {name!r}. Available: {available}.")


def get_zip_path(public_set: PublicSet, settings: Settings) -> Path:
    """Return where the set's zip is stored, and where to put it by hand."""
    return settings.datasets_dir / "downloads" / public_set.file_name


def download_public_set(
    name: str,
    settings: Settings,
    on_progress: OnProgress | None = None,
    on_message: Callable[[str], None] | None = None,
) -> Path:
    """Download, check and unpack one public set, unless that has been done already.

    An interrupted download continues where it stopped. A zip put by hand at `get_zip_path` is checked and used.

    Parameters
    ----------
    name : str
        A name from `PUBLIC_SETS`.
    settings : Settings
    on_progress : callable, optional
        Called with (done_bytes, total_bytes) while downloading; the total is 0 if the server does not give it.
    on_message : callable, optional
        Called with a sentence on how the file was checked.

    Returns
    -------
    Path
        The folder with the unpacked files.

    Raises
    ------
    DatasetError
        If the name is unknown, the file cannot be downloaded, its checksum is wrong, or it cannot be unpacked.
    """
    public_set = get_public_set(name)
    folder = settings.datasets_dir / public_set.name
    if folder.is_dir() and any(folder.iterdir()):
        return folder  # it was renamed when complete, or put there by hand
    archive = get_zip_path(public_set, settings)
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
        if not archive.exists():
            _download(public_set, archive, on_progress)
        message = _check_sha256(public_set, archive)
        if on_message is not None:
            on_message(message)
        _unpack(archive, folder)
    except OSError as error:
        raise DatasetError(f"The set {name} cannot be stored in {folder}: {error.strerror or error}.") from error
    return folder


def _download(public_set: PublicSet, archive: Path, on_progress: OnProgress | None) -> None:
    if not public_set.url:
        raise DatasetError(
            f"{public_set.source} asks for an account before it gives out {public_set.name}. Download it there in the browser, "
            f"put the zip at {archive} and try again."
        )
    pooch.get_logger().setLevel("WARNING")
    part = archive.with_name(archive.name + ".part")
    try:
        pooch.retrieve(
            public_set.url,
            known_hash=public_set.sha256 or _read_noted_sha256(archive),
            fname=archive.name,
            path=archive.parent,
            downloader=ResumingDownloader(part, on_progress),
        )
    except requests.exceptions.RequestException as error:
        raise DatasetError(
            f"{public_set.file_name} could not be downloaded from {public_set.url} ({_name_cause(error)}). Try again later, or "
            f"download it from {public_set.source} in the browser and put it at {archive}."
        ) from error
    except ValueError as error:  # pooch: the hash does not match
        raise DatasetError(
            f"{public_set.file_name} from {public_set.url} is not the expected file (its SHA-256 differs), so it was deleted. "
            f"Try again, or download it from {public_set.source} in the browser and put it at {archive}."
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


def _check_sha256(public_set: PublicSet, archive: Path) -> str:
    """Compare the zip with the stated or noted SHA-256, or note it; return the message for the user."""
    with archive.open("rb") as stream:
        received = hashlib.file_digest(stream, "sha256").hexdigest()
    expected = public_set.sha256 or _read_noted_sha256(archive)
    if expected is None:
        _get_checksum_path(archive).write_text(f"{received}  {archive.name}\n")
        return (
            f"No source states a checksum for {archive.name}. Its SHA-256 {received} was noted and will be checked "
            "from now on."
        )
    if received != expected:
        raise DatasetError(
            f"{archive} is not the expected file: its SHA-256 must be {expected[:12]}... Received: "
            f"{received[:12]}... Delete it"
            + ("" if public_set.sha256 else f" (and {_get_checksum_path(archive).name}, if the change is intended)")
            + " and try again."
        )
    source = public_set.sha256_source if public_set.sha256 else "noted at the first download"
    return f"The SHA-256 of {archive.name} is correct ({source})."


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack into a temporary folder, then rename it, so that an existing folder is complete."""
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
    waiting.replace(folder)


def _write_members(stream: io.RawIOBase, waiting: Path) -> None:
    waiting.mkdir(parents=True)
    with SafeZip(stream, max_member_bytes=MAX_MEMBER_BYTES, max_total_bytes=MAX_UNPACKED_BYTES) as safe_zip:
        _write_plain_members(safe_zip, waiting)


def _write_plain_members(safe_zip: SafeZip, waiting: Path) -> None:
    for info in safe_zip.members:
        problem = safe_zip.find_problem(info)
        if problem:
            raise IntakeError(f"{info.filename!r}: {problem}")
        parts = [part for part in info.filename.replace("\\", "/").split("/") if part not in ("", ".")]
        if "__MACOSX" in parts or parts[-1].startswith("."):
            continue
        path = waiting.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(safe_zip.read(info))
