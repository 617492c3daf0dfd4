"""The crops that an explanation is asked for, kept in its folder until a worker looks at them."""

import hashlib
import io
from pathlib import Path

import numpy as np

from bloodcell.core.errors import ExplainError, StoreError
from bloodcell.core.io import write_atomic

CROPS_FILE = "crops.npz"


def hash_crops(crops: np.ndarray) -> str:
    """SHA-256, in hexadecimal, of crops, uint8 (N, H, W, 3), and their shape."""
    return hashlib.sha256(f"{crops.shape}".encode() + np.ascontiguousarray(crops).tobytes()).hexdigest()


def store_crops(folder: Path, crops: np.ndarray) -> None:
    """Keep crops in an explanation's folder; StoreError if the disk is full or refuses."""
    packed = io.BytesIO()
    np.savez_compressed(packed, allow_pickle=False, crops=crops)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / CROPS_FILE, packed.getvalue())
    except OSError as error:
        raise StoreError(f"The cells cannot be kept in {folder}: {error.strerror}.") from error


def read_crops(folder: Path, sha256: str) -> np.ndarray:
    """Read stored crops, uint8 (N, H, W, 3); ExplainError if they are gone, damaged, or not those with this hash."""
    try:
        with np.load(folder / CROPS_FILE, allow_pickle=False) as arrays:
            crops = arrays["crops"]
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ExplainError(f"The cells to explain are not in {folder}, or damaged: ask again.") from error
    if hash_crops(crops) != sha256:
        raise ExplainError(f"The cells in {folder} are others than those that were asked about: ask again.")
    return crops
