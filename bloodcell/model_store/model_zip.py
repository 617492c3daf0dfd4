"""A model folder as a zip file, and back: only files of a model are unpacked, under their own plain names."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bloodcell.core.errors import IntakeError, ModelError
from bloodcell.datasets.sources.archives import SafeZip
from bloodcell.model_store.description import parse_description
from bloodcell.model_store.folder import (
    FEATURE_STATISTICS_FILE,
    KERAS_FILE,
    MODEL_FILES,
    NETWORK_FILE,
    RENAMED_FILES,
    SPEC_FILE,
    ModelFolder,
)

MAX_TOTAL_BYTES: Final = 600 * 2**20
MAX_TEXT_BYTES: Final = 16 * 2**20
_TEXT_SUFFIXES: Final = (".json", ".csv", ".md")
# The same folder gives the same zip.
_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class PackedModel:
    """What a zipped model folder says of itself.

    Attributes
    ----------
    name : str
        Name of the folder in the zip, "" where the files lie at its root.
    title : str
        What to show; the name where spec.json has no title.
    class_names : tuple of str
        In the order of the network's outputs.
    input : str
        What the network's input is, one of `model_store.io_spec.INPUTS`.
    has_thresholds : bool
        Whether thresholds were measured for it.
    """

    name: str
    title: str
    class_names: tuple[str, ...]
    input: str
    has_thresholds: bool


def pack_model(folder: Path) -> bytes:
    """Pack a model folder into a zip that holds a folder of its name; files that are no part of a model stay out.

    Returns
    -------
    bytes
        The same for the same files.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in MODEL_FILES:
            path = ModelFolder(folder).find_file(name)
            if path.is_file():
                info = zipfile.ZipInfo(f"{folder.name}/{name}", _DATE)
                # A .keras file is itself a zip without compression, and weights hardly get smaller.
                info.compress_type = zipfile.ZIP_STORED if name == KERAS_FILE else zipfile.ZIP_DEFLATED
                archive.writestr(info, path.read_bytes())
    return stream.getvalue()


def inspect_model_zip(raw: io.RawIOBase | io.BytesIO) -> PackedModel:
    """Look into a zipped model folder without unpacking it; its networks are not inspected.

    Parameters
    ----------
    raw : file object
        The zip, unbuffered; closed in the end.

    Raises
    ------
    ModelError
        If it is no such zip, is damaged, holds other files or several models, or spec.json makes no sense.
    """
    return _read_zip(raw, folder=None)


def unpack_model(raw: io.RawIOBase | io.BytesIO, folder: Path) -> PackedModel:
    """Unpack a zipped model folder into a new folder; files with old names get their new ones.

    Parameters
    ----------
    raw : file object
        The zip, unbuffered; closed in the end.
    folder : Path
        Folder to make.

    Raises
    ------
    ModelError
        As for `inspect_model_zip`.
    """
    folder.mkdir(parents=True)
    return _read_zip(raw, folder)


def _read_zip(raw: io.RawIOBase | io.BytesIO, folder: Path | None) -> PackedModel:
    """Read the zip and, where `folder` is not None, unpack it there."""
    try:
        with SafeZip(raw, max_total_bytes=MAX_TOTAL_BYTES) as archive:
            top, members = _list_members(archive)
            packed = _read_packed_model(archive.read(members[SPEC_FILE]), top, set(members))
            if folder is not None:
                for name, info in members.items():
                    (folder / name).write_bytes(archive.read(info))
            return packed
    except IntakeError as error:
        raise _make_refusal(f"it cannot be read as a zip file ({str(error).rstrip('.')})") from error


def _make_refusal(reason: str) -> ModelError:
    return ModelError(f"This zip file cannot be imported as a model: {reason}.")


def _list_members(archive: SafeZip) -> tuple[str, dict[str, zipfile.ZipInfo]]:
    """Return the folder that the files lie in, and the files by the names that they have in a model folder."""
    members: dict[str, zipfile.ZipInfo] = {}
    tops = set()
    for info in archive.members:
        problem = archive.find_problem(info)
        if problem:
            raise _make_refusal(f"{info.filename[:80]}: {problem.rstrip('.')}")
        top, _, stored_name = info.filename.rpartition("/")
        name = RENAMED_FILES.get(stored_name, stored_name)
        if name not in MODEL_FILES or "/" in top:
            raise _make_refusal(f"it holds {info.filename[:80]!r}, which is not a file of a model")
        if name in members:
            raise _make_refusal(f"it holds {name} twice")
        if name.endswith(_TEXT_SUFFIXES) and info.file_size > MAX_TEXT_BYTES:
            size, limit = info.file_size / 2**20, MAX_TEXT_BYTES // 2**20
            raise _make_refusal(f"its {name} has {size:.0f} MB, and at most {limit} MB are allowed")
        members[name] = info
        tops.add(top)
    missing = [name for name in (NETWORK_FILE, SPEC_FILE) if name not in members]
    if missing:
        raise _make_refusal(f"it lacks {' and '.join(missing)}")
    return tops.pop(), members


def _read_packed_model(spec: bytes, name: str, files: set[str]) -> PackedModel:
    description = parse_description(spec, name or "in the zip file")
    has_thresholds = description.io_spec.has_thresholds
    if has_thresholds and FEATURE_STATISTICS_FILE not in files:
        raise _make_refusal(f"it lacks {FEATURE_STATISTICS_FILE}")
    title = str(description.document.get("title") or name)
    return PackedModel(name, title, description.class_names, description.io_spec.input, has_thresholds)
