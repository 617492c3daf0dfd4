"""What a training run needs to go on after a stop, a crash or a power cut: written whole after every epoch."""

import hashlib
import json
import random
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from bloodcell.core.errors import RunError
from bloodcell.core.io import open_atomic, write_atomic
from bloodcell.training.output.calibration import Outputs
from bloodcell.training.samples.crop_store import StoredCrops
from bloodcell.training.samples.samples import Samples
from bloodcell.training.specs.masks_spec import MasksSpec
from bloodcell.training.specs.train_spec import TrainSpec

CHECKPOINT_DIR = "checkpoint"
RUN_FILE = "run.json"
READ_CHUNK = 256


def open_checkpoints(folder: Path, spec: TrainSpec, samples: Samples) -> "Checkpoints":
    """Open the checkpoints of a run, or begin them; `samples` are all of the run. Errors as `open_or_create_checkpoints`."""
    return open_or_create_checkpoints(folder, spec, hash_samples(samples))


def open_or_create_checkpoints(folder: Path, spec: TrainSpec | MasksSpec, data: str) -> "Checkpoints":
    """Open the checkpoints of a run, or begin them.

    Parameters
    ----------
    folder : made where it is missing
    data : fingerprint of all that the run takes from its images

    Raises
    ------
    RunError
        If what lies there was begun with another spec, other images or another Keras.
    """
    ours = {"keras": keras.__version__, "data": data, "spec": json.loads(spec.to_json())}
    path = folder / RUN_FILE
    if not any(folder.glob("*.npz")):  # nothing is lost
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(ours, indent=2).encode())
        return Checkpoints(folder)
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
        was = type(spec).from_json(json.dumps(theirs["spec"]))
        keras_was, data_was = theirs["keras"], theirs["data"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"The checkpoint {folder} cannot be read; start anew.") from error
    changed = [name for name, value in asdict(spec).items() if asdict(was)[name] != value]
    if changed:
        raise RunError(f"The checkpoint {folder} is of another spec ({', '.join(changed)} differ); start anew.")
    if keras_was != keras.__version__:
        raise RunError(f"The checkpoint {folder} is of Keras {keras_was}, this is {keras.__version__}; start anew.")
    if data_was != data:
        raise RunError(f"The checkpoint {folder} was learned from other images than there are now; start anew.")
    return Checkpoints(folder)


def hash_samples(samples: Samples) -> str:
    """SHA-256 of all that a run takes from its samples: crops, classes, source cells, sources and file names."""
    return hash_arrays((samples.class_index, samples.group, samples.source), samples.stored_crops, samples.file)


def hash_arrays(arrays: Sequence[np.ndarray], crops: np.ndarray | StoredCrops, files: list[str]) -> str:
    """SHA-256 of arrays, of crops (read a part at a time) and of file names."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    digest.update(str(crops.shape).encode())
    for start in range(0, len(crops), READ_CHUNK):
        digest.update(np.ascontiguousarray(crops[start : start + READ_CHUNK]).data)
    digest.update(json.dumps(files).encode())
    return digest.hexdigest()


class Checkpoints:
    """The checkpoints of one run; its fits are numbered from 1.

    Of a fit in work: its newest state, and where the best epoch is kept its weights. Of one that is finished and was
    only asked for answers: those.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save_state(self, fit: int, model: keras.Model, rows: list[dict]) -> None:
        """Keep the state after an epoch: weights, optimizer with its running means, random states, history."""
        arrays = {f"model-{at}": value for at, value in enumerate(_read_values(model.variables))}
        arrays |= {f"optimizer-{at}": value for at, value in enumerate(_read_values(model.optimizer.variables))}
        arrays["python"] = np.array(
            random.getstate()[1], np.uint32
        )  # Keras puts the batches of an epoch in order by it
        self._write(f"fit-{fit}.npz", arrays, rows)

    def count_epochs(self, fit: int) -> int:
        """How many epochs the newest state of a fit has behind it; 0 where there is none."""
        stored = self._read(f"fit-{fit}.npz")
        return 0 if stored is None else len(stored[1])

    def load_state(self, fit: int, model: keras.Model) -> list[dict]:
        """Put the newest state into a compiled model whose optimizer is built; the rows of its finished epochs.

        Returns
        -------
        list of dict, empty where there is no state, and the model as it was
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
        """Keep the weights of an epoch that is the best so far."""
        arrays = {f"model-{at}": value for at, value in enumerate(_read_values(model.variables))}
        self._write(f"fit-{fit}-epoch-{epoch}.npz", arrays, [])

    def delete_other_epochs(self, fit: int, epoch: int) -> None:
        """Remove the weights of all epochs but one."""
        for path in self.folder.glob(f"fit-{fit}-epoch-*.npz"):
            if path.name != f"fit-{fit}-epoch-{epoch}.npz":
                path.unlink()

    def load_best(self, fit: int, model: keras.Model, epoch: int) -> None:
        """Put the weights of an epoch that `save_best` kept into a model."""
        stored = self._read(f"fit-{fit}-epoch-{epoch}.npz")
        if stored is None:
            raise RunError(f"The checkpoint {self.folder} lacks the weights of epoch {epoch}; start anew.")
        self._assign(model.variables, list(stored[0].values()))

    def save_predictions(self, fit: int, outputs: Outputs, rows: list[dict]) -> None:
        """Keep a finished fit's answers and history in place of its state."""
        arrays = {name: value for name, value in asdict(outputs).items() if value is not None}
        self._write(f"answers-{fit}.npz", arrays, rows)
        self._delete_state(fit)

    def give_up(self, fit: int, rows: list[dict]) -> None:
        """Keep the history alone of a fit that is not brought to its end."""
        self._write(f"ended-{fit}.npz", {}, rows)
        self._delete_state(fit)

    def is_given_up(self, fit: int) -> bool:
        """Whether `give_up` was called for a fit."""
        return (self.folder / f"ended-{fit}.npz").exists()

    def load_predictions(self, fit: int) -> tuple[Outputs, list[dict]] | None:
        """What `save_predictions` kept; None where the fit is not finished."""
        stored = self._read(f"answers-{fit}.npz")
        if stored is None:
            return None
        arrays, rows = stored
        return Outputs(arrays["logits"], arrays.get("known"), arrays["distance"]), rows

    def rows(self, fit: int | None = None) -> list[dict]:
        """The history up to the newest checkpoint, of one fit or of all."""
        parts: dict[int, list[dict]] = {}
        for path in [path for kind in ("answers", "ended", "fit") for path in self.folder.glob(f"{kind}-*.npz")]:
            _, number, *epoch = path.stem.split("-")
            is_wanted = not epoch and fit in (None, int(number)) and int(number) not in parts
            if is_wanted and (stored := self._read(path.name)) is not None:
                parts[int(number)] = stored[1]
        return [row for number in sorted(parts) for row in parts[number]]

    def _delete_state(self, fit: int) -> None:
        for path in [self.folder / f"fit-{fit}.npz", *self.folder.glob(f"fit-{fit}-epoch-*.npz")]:
            path.unlink(missing_ok=True)

    def _write(self, name: str, arrays: dict[str, np.ndarray], rows: list[dict]) -> None:
        with open_atomic(self.folder / name) as stream:
            np.savez(stream, **arrays, history=np.array(json.dumps(rows)))  # type: ignore[arg-type]

    def _read(self, name: str) -> tuple[dict[str, np.ndarray], list[dict]] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
            rows = json.loads(str(arrays.pop("history")))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(f"The checkpoint {path} cannot be read; start anew.") from error
        return arrays, rows

    def _assign(self, variables: list, values: list[np.ndarray]) -> None:
        if [tuple(variable.shape) for variable in variables] != [value.shape for value in values]:
            raise RunError(f"The checkpoint {self.folder} is of a network of another form; start anew.")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _read_values(variables: list) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(variable) for variable in variables]
