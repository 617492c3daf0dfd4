"""Which pictures a model has learned from, by their bytes: kept in its folder, so that a leak can be told anywhere."""

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bloodcell.core.errors import ModelError

PROVENANCE_FILE: Final = "learned.npz"
_BYTES: Final = 8  # of each SHA-256: enough to tell millions of pictures apart


@dataclass(frozen=True)
class Provenance:
    """Pictures by the beginnings of the SHA-256 of their bytes.

    learned : the network was taught on these
    chosen_on : held out while it was taught, but its last epoch or its thresholds were chosen on them
    """

    learned: frozenset[bytes]
    chosen_on: frozenset[bytes] = frozenset()

    @classmethod
    def of(cls, learned: Iterable[str], chosen_on: Iterable[str] = ()) -> "Provenance":
        """From SHA-256 in hexadecimal; a picture that was learned is not one that was held out."""
        trained_on = frozenset(map(_truncate_hash, learned))
        return cls(trained_on, frozenset(map(_truncate_hash, chosen_on)) - trained_on)

    def __or__(self, other: "Provenance") -> "Provenance":
        learned = self.learned | other.learned
        return Provenance(learned, (self.chosen_on | other.chosen_on) - learned)

    def is_trained_on(self, sha256: Iterable[str]) -> np.ndarray:
        """Whether each picture, by its SHA-256 in hexadecimal, was learned from; bool (N,)."""
        return np.array([_truncate_hash(one) in self.learned for one in sha256], bool)

    def is_selected_on(self, sha256: Iterable[str]) -> np.ndarray:
        """Whether something was chosen on each picture; bool (N,)."""
        return np.array([_truncate_hash(one) in self.chosen_on for one in sha256], bool)

    def save(self, folder: Path) -> None:
        """Write them into a model's folder."""
        np.savez(folder / PROVENANCE_FILE, learned=_pack_hashes(self.learned), chosen_on=_pack_hashes(self.chosen_on))


def read_provenance(folder: Path) -> Provenance | None:
    """What a model's folder says that it learned from; None where it does not say, ModelError if it is damaged."""
    try:
        with np.load(folder / PROVENANCE_FILE, allow_pickle=False) as stored:
            learned, chosen_on = (_unpack_hashes(stored[name]) for name in ("learned", "chosen_on"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{PROVENANCE_FILE} of the model {folder.name} is damaged: {error}.") from error
    return Provenance(learned, chosen_on)


def _truncate_hash(sha256: str) -> bytes:
    return bytes.fromhex(sha256[: 2 * _BYTES])


def _pack_hashes(some: frozenset[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(sorted(some)), np.uint8).reshape(-1, _BYTES)


def _unpack_hashes(rows: np.ndarray) -> frozenset[bytes]:
    if rows.dtype != np.uint8 or rows.ndim != 2 or rows.shape[1] != _BYTES:
        raise ValueError(f"expected uint8 (N, {_BYTES}), found {rows.dtype} {rows.shape}")
    return frozenset(row.tobytes() for row in rows)
