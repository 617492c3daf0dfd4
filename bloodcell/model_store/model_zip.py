"""A model folder as one zip, and back: nothing is unpacked but files of a model, under their own plain names."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bloodcell.core.errors import IntakeError, ModelError
from bloodcell.datasets.sources.archives import SafeZip
from bloodcell.model_store.folder import NEEDED_FILES, NETWORK_FILE, SPEC_FILE, TYPICAL_FILE, description_of
from bloodcell.model_store.io_spec import MASK_FILE, takes_of
from bloodcell.model_store.provenance import LEARNED_FILE

KERAS_FILE: Final = "model.keras"
PACKED_FILES: Final = (
    *NEEDED_FILES,
    MASK_FILE,
    KERAS_FILE,
    "metrics.json",
    "adapt.json",
    "history.csv",
    "out_of_fold.npz",
    LEARNED_FILE,
    "README.md",
)
MAX_TOTAL_BYTES: Final = 600 * 2**20
MAX_TEXT_BYTES: Final = 16 * 2**20
_TEXTS: Final = (".json", ".csv", ".md")
# The same folder gives the same zip.
_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackedModel:
    """What a zipped model folder says of itself.

    name : of the folder in the zip, "" where the files lie at its root
    input : what it takes, of `model_store.io_spec.INPUTS`
    is_judged : has measured thresholds
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    input: str
    is_judged: bool


def pack_model(folder: Path, stream: BinaryIO) -> None:
    """Write a model folder to a zip, in a folder of its name; files that are no part of a model stay out."""
    with zipfile.ZipFile(stream, "w") as archive:
        for name in PACKED_FILES:
            if (folder / name).is_file():
                info = zipfile.ZipInfo(f"{folder.name}/{name}", _DATE)
                # Keras keeps what is in its zip unpacked; weights hardly get smaller.
                info.compress_type = zipfile.ZIP_STORED if name == KERAS_FILE else zipfile.ZIP_DEFLATED
                archive.writestr(info, (folder / name).read_bytes())


def packed_bytes(folder: Path) -> bytes:
    """A model folder as the bytes of a zip."""
    stream = io.BytesIO()
    pack_model(folder, stream)
    return stream.getvalue()


def inspect_packed(raw: io.RawIOBase | io.BytesIO) -> PackedModel:
    """Look into a zipped model folder without unpacking it; its networks are not looked at.

    Parameters
    ----------
    raw : its bytes, unbuffered; closed in the end

    Raises
    ------
    ModelError
        If it is no such zip, is damaged, holds other files or several models, or spec.json makes no sense.
    """
    return _each(raw, into=None)


def unpack_model(raw: io.RawIOBase | io.BytesIO, folder: Path) -> PackedModel:
    """Unpack a zipped model folder into a new folder; parameters and errors as `inspect_packed`."""
    folder.mkdir(parents=True)
    return _each(raw, into=folder)


def _each(raw: io.RawIOBase | io.BytesIO, into: Path | None) -> PackedModel:
    try:
        with SafeZip(raw, max_total_bytes=MAX_TOTAL_BYTES) as archive:
            top, members = _members_of(archive)
            packed = _described(archive.read(members[SPEC_FILE]), top, set(members))
            for name, info in members.items() if into is not None else ():
                (Path(into or "") / name).write_bytes(archive.read(info))
            return packed
    except IntakeError as error:
        raise _refused(f"as a zip it cannot be read ({str(error).rstrip('.')})") from error


def _refused(reason: str) -> ModelError:
    return ModelError(f"The zip is refused as a model: {reason}.")


def _members_of(archive: SafeZip) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The folder in which the files lie, and the files by their plain names."""
    members: dict[str, zipfile.ZipInfo] = {}
    tops = set()
    for info in archive.members:
        problem = archive.problem(info)
        if problem:
            raise _refused(f"of its file {info.filename[:80]} it is said: {problem.rstrip('.')}")
        top, _, name = info.filename.rpartition("/")
        if name not in PACKED_FILES or "/" in top:
            raise _refused(f"it holds {info.filename[:80]!r}, which is no file of a model")
        if name in members:
            raise _refused(f"it holds {name} twice")
        if name.endswith(_TEXTS) and info.file_size > MAX_TEXT_BYTES:
            raise _refused(f"its {name} has {info.file_size / 2**20:.0f} MB, and {MAX_TEXT_BYTES // 2**20} are allowed")
        members[name] = info
        tops.add(top)
    missing = [name for name in (NETWORK_FILE, SPEC_FILE) if name not in members]
    if missing:
        raise _refused(f"it lacks {' and '.join(missing)}")
    return tops.pop(), members


def _described(spec: bytes, name: str, files: set[str]) -> PackedModel:
    description = description_of(spec, name or "in the zip")
    takes = takes_of(description, name)
    if takes.is_judged and TYPICAL_FILE not in files:
        raise _refused(f"it lacks {TYPICAL_FILE}")
    names = tuple(description["class_names"])
    return PackedModel(name, str(description.get("title") or name), names, takes.input, takes.is_judged)
