"""What a training run needs to continue after a stop, a crash or a power cut: written whole after every epoch."""

import hashlib
import json
import random
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from bloodcell.core.errors import RunError
from bloodcell.core.io import open_atomic, write_atomic
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.output.history import HistoryRow
from bloodcell.training.samples.crop_store import StoredCrops
from bloodcell.training.samples.field_samples import FieldSamples
from bloodcell.training.samples.mask_samples import MaskSamples
from bloodcell.training.samples.samples import Samples
from bloodcell.training.specs.detector_spec import DetectorSpec
from bloodcell.training.specs.masks_spec import MasksSpec
from bloodcell.training.specs.train_spec import TrainSpec

CHECKPOINT_DIR = "checkpoint"
RUN_FILE = "run.json"
READ_CHUNK = 256


class Checkpoints:
    """The checkpoints of one run; its fits are numbered from 1.

    An unfinished fit has its newest state and, where the best checkpoint is kept, the weights of its best epoch. A
    finished fit whose network is not needed any more has its predictions instead.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints, see `open_checkpoints`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save_state(self, fit: int, model: keras.Model, rows: Sequence[HistoryRow]) -> None:
        """Store the state after an epoch: weights, optimizer with its running means, random states, history."""
        arrays = {f"model-{number}": value for number, value in enumerate(_read_values(model.variables))}
        arrays |= {f"optimizer-{number}": value for number, value in enumerate(_read_values(model.optimizer.variables))}
        arrays["python"] = np.array(random.getstate()[1], np.uint32)  # Keras orders the batches of an epoch by it
        self._write(f"fit-{fit}.npz", arrays, rows)

    def count_epochs(self, fit: int) -> int:
        """Count the finished epochs of the newest state of a fit; 0 where there is none."""
        stored = self._read(f"fit-{fit}.npz")
        return 0 if stored is None else len(stored[1])

    def load_state(self, fit: int, model: keras.Model) -> list[HistoryRow]:
        """Load the newest state into a compiled model whose optimizer is built.

        Returns
        -------
        list of HistoryRow
            The finished epochs; empty where there is no state, and the model is as it was.

        Raises
        ------
        RunError
            If the state is damaged or of another network.
        """
        stored = self._read(f"fit-{fit}.npz")
        if stored is None:
            return []
        arrays, rows = stored
        if "python" in arrays:
            random.setstate((random.Random.VERSION, tuple(arrays["python"].tolist()), None))
        for name, variables in (("model", model.variables), ("optimizer", model.optimizer.variables)):
            self._assign(variables, [value for key, value in arrays.items() if key.startswith(name)])
        return rows

    def save_best(self, fit: int, model: keras.Model, epoch: int) -> None:
        """Store the weights of the best epoch so far."""
        arrays = {f"model-{number}": value for number, value in enumerate(_read_values(model.variables))}
        self._write(f"fit-{fit}-epoch-{epoch}.npz", arrays, [])

    def delete_other_epochs(self, fit: int, epoch: int) -> None:
        """Delete the weights of all epochs but one."""
        for path in self.folder.glob(f"fit-{fit}-epoch-*.npz"):
            if path.name != f"fit-{fit}-epoch-{epoch}.npz":
                path.unlink()

    def load_best(self, fit: int, model: keras.Model, epoch: int) -> None:
        """Load the weights of an epoch that `save_best` stored into a model; RunError if they are missing."""
        stored = self._read(f"fit-{fit}-epoch-{epoch}.npz")
        if stored is None:
            raise RunError(f"The checkpoint {self.folder} lacks the weights of epoch {epoch}; start anew.")
        self._assign(model.variables, list(stored[0].values()))

    def save_predictions(self, fit: int, outputs: Outputs, rows: Sequence[HistoryRow]) -> None:
        """Store a finished fit's predictions and history in place of its state."""
        arrays = {name: value for name, value in asdict(outputs).items() if value is not None}
        self._write(f"answers-{fit}.npz", arrays, rows)
        self._delete_state(fit)

    def load_predictions(self, fit: int) -> tuple[Outputs, list[HistoryRow]] | None:
        """Load what `save_predictions` stored; None if the fit is not finished."""
        stored = self._read(f"answers-{fit}.npz")
        if stored is None:
            return None
        arrays, rows = stored
        return Outputs(arrays["logits"], arrays.get("known"), arrays["distance"]), rows

    def give_up(self, fit: int, rows: Sequence[HistoryRow]) -> None:
        """Store only the history of a fit that is given up."""
        self._write(f"ended-{fit}.npz", {}, rows)
        self._delete_state(fit)

    def is_given_up(self, fit: int) -> bool:
        """Return whether `give_up` was called for a fit."""
        return (self.folder / f"ended-{fit}.npz").exists()

    def read_history(self, fit: int | None = None) -> list[HistoryRow]:
        """Read the epochs up to the newest checkpoint, of one fit or of all."""
        rows_of_fit: dict[int, list[HistoryRow]] = {}
        for path in [path for kind in ("answers", "ended", "fit") for path in self.folder.glob(f"{kind}-*.npz")]:
            _, number, *epoch = path.stem.split("-")
            is_wanted = not epoch and fit in (None, int(number)) and int(number) not in rows_of_fit
            if is_wanted and (stored := self._read(path.name)) is not None:
                rows_of_fit[int(number)] = stored[1]
        return [row for number in sorted(rows_of_fit) for row in rows_of_fit[number]]

    def _delete_state(self, fit: int) -> None:
        for path in [self.folder / f"fit-{fit}.npz", *self.folder.glob(f"fit-{fit}-epoch-*.npz")]:
            path.unlink(missing_ok=True)

    def _write(self, name: str, arrays: Mapping[str, np.ndarray], rows: Iterable[HistoryRow]) -> None:
        history = np.array(json.dumps([row.to_dict() for row in rows]))
        with open_atomic(self.folder / name) as stream:
            np.savez(stream, **arrays, history=history)  # type: ignore[arg-type]

    def _read(self, name: str) -> tuple[dict[str, np.ndarray], list[HistoryRow]] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
            rows = [HistoryRow.from_dict(values) for values in json.loads(str(arrays.pop("history")))]
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(f"The checkpoint {path} cannot be read; start anew.") from error
        return arrays, rows

    def _assign(self, variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise RunError(f"The checkpoint {self.folder} is of another network; start anew.")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def open_checkpoints(
    folder: Path, spec: TrainSpec | MasksSpec | DetectorSpec, samples: Samples | MaskSamples | FieldSamples
) -> Checkpoints:
    """Open the checkpoints of a run, or create them.

    Parameters
    ----------
    folder : Path
        Folder of the checkpoints; created if it is missing.
    spec : TrainSpec, MasksSpec or DetectorSpec
        Settings of the run.
    samples : Samples, MaskSamples or FieldSamples
        All samples of the run.

    Returns
    -------
    Checkpoints

    Raises
    ------
    RunError
        If the folder holds epochs of another spec, of other images or of another Keras.
    """
    path, data_sha256 = folder / RUN_FILE, hash_samples(samples)
    if not any(folder.glob("*.npz")):  # no epoch is lost
        folder.mkdir(parents=True, exist_ok=True)
        run = {"keras": keras.__version__, "data": data_sha256, "spec": spec.to_dict()}
        write_atomic(path, json.dumps(run, indent=2).encode())
        return Checkpoints(folder)
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        stored_spec = type(spec).from_dict(stored["spec"])
        stored_keras, stored_sha256 = stored["keras"], stored["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"The checkpoint {folder} cannot be read; start anew.") from error
    stored_values = asdict(stored_spec)
    changed = [name for name, value in asdict(spec).items() if stored_values[name] != value]
    if changed:
        raise RunError(f"The checkpoint {folder} is of another spec ({', '.join(changed)} differ); start anew.")
    if stored_keras != keras.__version__:
        raise RunError(f"The checkpoint {folder} is of Keras {stored_keras}, this is {keras.__version__}; start anew.")
    if stored_sha256 != data_sha256:
        raise RunError(f"The checkpoint {folder} was trained on other images than there are now; start anew.")
    return Checkpoints(folder)


def hash_samples(samples: Samples | MaskSamples | FieldSamples) -> str:
    """Compute the SHA-256, in hexadecimal, of all that a run takes from its images; crops are read in chunks."""
    if isinstance(samples, FieldSamples):
        return samples.sha256
    if isinstance(samples, MaskSamples):
        return _hash_arrays((samples.group, samples.held_out), samples.pairs, samples.file)
    return _hash_arrays((samples.class_index, samples.group, samples.source), samples.stored_crops, samples.file)


def _hash_arrays(arrays: Iterable[np.ndarray], crops: np.ndarray | StoredCrops, files: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    digest.update(str(crops.shape).encode())
    for start in range(0, len(crops), READ_CHUNK):
        digest.update(np.ascontiguousarray(crops[start : start + READ_CHUNK]).data)
    digest.update(json.dumps(list(files)).encode())
    return digest.hexdigest()


def _read_values(variables: Iterable[Any]) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
