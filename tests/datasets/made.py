"""Small datasets made in code: images of one colour with noise, stored as a folder or as a zip."""

import zipfile
from pathlib import Path

import numpy as np

from bloodcell.imaging.read import encode_jpeg, encode_png


def rgb(seed: int = 0, height_px: int = 20, width_px: int = 30) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def png(seed: int = 0, height_px: int = 20, width_px: int = 30) -> bytes:
    return encode_png(rgb(seed, height_px, width_px))


def jpeg(seed: int = 0, height_px: int = 20, width_px: int = 30) -> bytes:
    return encode_jpeg(rgb(seed, height_px, width_px))


def in_folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """Write files below tmp_path/set."""
    (tmp_path / "set").mkdir(exist_ok=True)
    for name, data in files.items():
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "set"


def in_zip(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """Write files into tmp_path/set.zip."""
    with zipfile.ZipFile(tmp_path / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return tmp_path / "set.zip"
