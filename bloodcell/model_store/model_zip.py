"""A model folder as one zip, and back: nothing is unpacked but files of a model, under their own plain names."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from bloodcell.core.errors import IntakeError, ModelError
from bloodcell.datasets.sources.archives import SafeZip
from bloodcell.model_store.folder import (
    FEATURE_STATISTICS_FILE,
    NETWORK_FILE,
    REQUIRED_FILES,
    SPEC_FILE,
    parse_description,
)
from bloodcell.model_store.io_spec import MASK_FILE, read_io_spec
from bloodcell.model_store.provenance import PROVENANCE_FILE

KERAS_FILE: Final = "model.keras"
PACKED_FILES: Final = (
    *REQUIRED_FILES,
    MASK_FILE,
    KERAS_FILE,
    "metrics.json",
    "adapt.json",
    "history.csv",
    "out_of_fold.npz",
    PROVENANCE_FILE,
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
    has_thresholds: bool


def pack_model(folder: Path, stream: BinaryIO) -> None:
    """Write a model folder to a zip, in a folder of its name; files that are no part of a model stay out."""
    with zipfile.ZipFile(stream, "w") as archive:
        for name in PACKED_FILES:
            if (folder / name).is_file():
                info = zipfile.ZipInfo(f"{folder.name}/{name}", _DATE)
                # Keras keeps what is in its zip unpacked; weights hardly get smaller.
                info.compress_type = zipfile.ZIP_STORED if name == KERAS_FILE else zipfile.ZIP_DEFLATED
                archive.writestr(info, (folder / name).read_bytes())


def pack_model_to_bytes(folder: Path) -> bytes:
    """A model folder as the bytes of a zip."""
    stream = io.BytesIO()
    pack_model(folder, stream)
    return stream.getvalue()


def inspect_model_zip(raw: io.RawIOBase | io.BytesIO) -> PackedModel:
    """Look into a zipped model folder without unpacking it; its networks are not looked at.

    Parameters
    ----------
    raw : its bytes, unbuffered; closed in the end

    Raises
    ------
    ModelError
        If it is no such zip, is damaged, holds other files or several models, or spec.json makes no sense.
    """
    return _read_zip(raw, into=None)


def unpack_model(raw: io.RawIOBase | io.BytesIO, folder: Path) -> PackedModel:
    """Unpack a zipped model folder into a new folder; parameters and errors as `inspect_model_zip`."""
    folder.mkdir(parents=True)
    return _read_zip(raw, into=folder)


def _read_zip(raw: io.RawIOBase | io.BytesIO, into: Path | None) -> PackedModel:
    try:
        with SafeZip(raw, max_total_bytes=MAX_TOTAL_BYTES) as archive:
            top, members = _list_members(archive)
            packed = _read_packed_model(archive.read(members[SPEC_FILE]), top, set(members))
            for name, info in members.items() if into is not None else ():
                (Path(into or "") / name).write_bytes(archive.read(info))
            return packed
    except IntakeError as error:
        raise _make_refusal(f"as a zip it cannot be read ({str(error).rstrip('.')})") from error


def _make_refusal(reason: str) -> ModelError:
    return ModelError(f"The zip is refused as a model: {reason}.")


def _list_members(archive: SafeZip) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """The folder in which the files lie, and the files by their plain names."""
    members: dict[str, zipfile.ZipInfo] = {}
    tops = set()
    for info in archive.members:
        problem = archive.problem(info)
        if problem:
            raise _make_refusal(f"of its file {info.filename[:80]} it is said: {problem.rstrip('.')}")
        top, _, name = info.filename.rpartition("/")
        if name not in PACKED_FILES or "/" in top:
            raise _make_refusal(f"it holds {info.filename[:80]!r}, which is no file of a model")
        if name in members:
            raise _make_refusal(f"it holds {name} twice")
        if name.endswith(_TEXTS) and info.file_size > MAX_TEXT_BYTES:
            raise _make_refusal(
                f"its {name} has {info.file_size / 2**20:.0f} MB, and {MAX_TEXT_BYTES // 2**20} are allowed"
            )
        members[name] = info
        tops.add(top)
    missing = [name for name in (NETWORK_FILE, SPEC_FILE) if name not in members]
    if missing:
        raise _make_refusal(f"it lacks {' and '.join(missing)}")
    return tops.pop(), members


def _read_packed_model(spec: bytes, name: str, files: set[str]) -> PackedModel:
    description = parse_description(spec, name or "in the zip")
    io_spec = read_io_spec(description, name)
    if io_spec.has_thresholds and FEATURE_STATISTICS_FILE not in files:
        raise _make_refusal(f"it lacks {FEATURE_STATISTICS_FILE}")
    names = tuple(description["class_names"])
    return PackedModel(name, str(description.get("title") or name), names, io_spec.input, io_spec.has_thresholds)
