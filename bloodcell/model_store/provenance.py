"""Which images a model was trained on, by their bytes: kept in its folder, so that a leak shows on any machine."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError

_HASH_BYTES: Final = 8  # of each SHA-256: enough to tell millions of images apart


@dataclass(frozen=True)
class Provenance:
    """Images by the first bytes of the SHA-256 of their contents.

    Attributes
    ----------
    trained_on : frozenset of bytes
        The network was trained on these.
    selected_on : frozenset of bytes
        Held out of the training, but the best checkpoint or the thresholds were chosen on them.
    """

    trained_on: frozenset[bytes]
    selected_on: frozenset[bytes] = frozenset()

    @classmethod
    def from_sha256(cls, trained_on: Iterable[str], selected_on: Iterable[str] = ()) -> Self:
        """Make it of SHA-256 in hexadecimal; an image in both counts as trained on.

        Examples
        --------
        >>> Provenance.from_sha256(["ab" * 32], ["cd" * 32]).is_trained_on(["cd" * 32, "ab" * 32])
        array([False,  True])
        """
        trained = frozenset(map(_truncate_hash, trained_on))
        return cls(trained, frozenset(map(_truncate_hash, selected_on)) - trained)

    def __or__(self, other: "Provenance") -> "Provenance":
        trained_on = self.trained_on | other.trained_on
        return Provenance(trained_on, (self.selected_on | other.selected_on) - trained_on)

    def is_trained_on(self, sha256: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Tell for each image, by its SHA-256 in hexadecimal, whether the model was trained on it."""
        return np.array([_truncate_hash(digest) in self.trained_on for digest in sha256], bool)

    def is_selected_on(self, sha256: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Tell for each image whether the best checkpoint or the thresholds were chosen on it."""
        return np.array([_truncate_hash(digest) in self.selected_on for digest in sha256], bool)

    def save(self, path: Path) -> None:
        """Write to a .npz file, under the keys that Bloodcell 0.1 gave its arrays."""
        np.savez(path, learned=_pack_hashes(self.trained_on), chosen_on=_pack_hashes(self.selected_on))


def read_provenance(path: Path, model_name: str) -> Provenance | None:
    """Read what `Provenance.save` wrote; None where there is no file, ModelError where it is damaged."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return Provenance(_unpack_hashes(stored["learned"]), _unpack_hashes(stored["chosen_on"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path.name} of the model {model_name} is damaged: {error}.") from error


def _truncate_hash(sha256: str) -> bytes:
    return bytes.fromhex(sha256[: 2 * _HASH_BYTES])


def _pack_hashes(hashes: frozenset[bytes]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(sorted(hashes)), np.uint8).reshape(-1, _HASH_BYTES)


def _unpack_hashes(rows: np.ndarray) -> frozenset[bytes]:
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != _HASH_BYTES:
        raise ValueError(f"expected uint8 (N, {_HASH_BYTES}), found {rows.dtype} {rows.shape}")
    return frozenset(row.tobytes() for row in rows)
