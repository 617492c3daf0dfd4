"""A model's folder: what its files are called, and reading and writing them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bloodcell.core.errors import ModelError
from bloodcell.core.io import write_atomic, write_json
from bloodcell.model_store.description import ModelDescription, parse_description, parse_json_object
from bloodcell.model_store.provenance import Provenance, read_provenance

NETWORK_FILE: Final = "model.onnx"
SPEC_FILE: Final = "spec.json"
FEATURE_STATISTICS_FILE: Final = "feature_statistics.npz"
# The last one only of a model with thresholds (`ModelIOSpec.has_thresholds`).
REQUIRED_FILES: Final = (NETWORK_FILE, SPEC_FILE, FEATURE_STATISTICS_FILE)
# The U-Net that hides the background, of a model that asks for it; also what a folder of a U-Net alone holds.
MASK_FILE: Final = "mask.onnx"
KERAS_FILE: Final = "model.keras"
METRICS_FILE: Final = "metrics.json"
ADAPT_FILE: Final = "adapt.json"
HISTORY_FILE: Final = "history.csv"
OUT_OF_FOLD_FILE: Final = "out_of_fold.npz"
PROVENANCE_FILE: Final = "provenance.npz"
CARD_FILE: Final = "README.md"
MODEL_FILES: Final = (
    *REQUIRED_FILES,
    MASK_FILE,
    KERAS_FILE,
    METRICS_FILE,
    ADAPT_FILE,
    HISTORY_FILE,
    OUT_OF_FOLD_FILE,
    PROVENANCE_FILE,
    CARD_FILE,
)
# What Bloodcell 0.1 called two of them; such folders and zips still open.
OLD_NAMES: Final = {FEATURE_STATISTICS_FILE: "typical.npz", PROVENANCE_FILE: "learned.npz"}
RENAMED_FILES: Final = {old: new for new, old in OLD_NAMES.items()}


@dataclass(frozen=True)
class ModelFolder:
    """The folder of one model; making the object reads nothing.

    Attributes
    ----------
    path : Path
        The folder.
    """

    path: Path

    @property
    def name(self) -> str:
        """Name of the folder, which is the model's name."""
        return self.path.name

    @property
    def network_file(self) -> Path:
        """The network in ONNX, which gives every prediction."""
        return self.path / NETWORK_FILE

    @property
    def keras_file(self) -> Path:
        """The network in Keras, which adapting, Grad-CAM and layer outputs need."""
        return self.path / KERAS_FILE

    @property
    def mask_file(self) -> Path:
        """The U-Net in ONNX that hides the background."""
        return self.path / MASK_FILE

    @property
    def spec_file(self) -> Path:
        """The description of the model."""
        return self.path / SPEC_FILE

    @property
    def metrics_file(self) -> Path:
        """What was measured on the model."""
        return self.path / METRICS_FILE

    @property
    def history_file(self) -> Path:
        """A row for each epoch of its training."""
        return self.path / HISTORY_FILE

    @property
    def card_file(self) -> Path:
        """The model card."""
        return self.path / CARD_FILE

    @property
    def feature_statistics_file(self) -> Path:
        """The feature statistics of `inference.ood`, under the name that this folder uses."""
        return self.find_file(FEATURE_STATISTICS_FILE)

    def find_file(self, name: str) -> Path:
        """Return the path of a file of `MODEL_FILES`, under its old name where only that is there."""
        path = self.path / name
        old_path = self.path / OLD_NAMES.get(name, name)
        return old_path if old_path.is_file() and not path.is_file() else path

    def is_model(self) -> bool:
        """Tell whether this looks like a model: a folder with a spec.json."""
        return self.spec_file.is_file()

    def read_description(self) -> ModelDescription:
        """Read spec.json.

        Raises
        ------
        ModelError
            If a file that prediction needs is missing, or spec.json makes no sense.
        """
        self._require(NETWORK_FILE)
        self._require(SPEC_FILE)
        description = parse_description(self.spec_file.read_bytes(), self.name)
        if description.io_spec.has_thresholds:
            self._require(FEATURE_STATISTICS_FILE)
        return description

    def read_metrics(self) -> dict[str, Any]:
        """Read metrics.json; an empty dict where there is none, ModelError where it is damaged."""
        try:
            data = self.metrics_file.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise ModelError(f"{METRICS_FILE} of the model {self.name} cannot be read: {error.strerror}.") from error
        return parse_json_object(data, METRICS_FILE, self.name)

    def read_provenance(self) -> Provenance | None:
        """Read which images the model was trained on.

        Returns
        -------
        Provenance or None
            None where the folder does not say.

        Raises
        ------
        ModelError
            If the file is damaged.
        """
        return read_provenance(self.find_file(PROVENANCE_FILE), self.name)

    def compute_sha256(self) -> str:
        """Hash the files that decide a model's predictions: network, spec, feature statistics and U-Net.

        The names of the files do not count, so a folder of Bloodcell 0.1 has the hash that it always had.

        Returns
        -------
        str
            SHA-256 in hexadecimal, over the SHA-256 of each file.
        """
        digest = hashlib.sha256()
        for name in (*REQUIRED_FILES, MASK_FILE):
            path = self.find_file(name)
            if name in (FEATURE_STATISTICS_FILE, MASK_FILE) and not path.is_file():
                continue  # of a model without
            with path.open("rb") as handle:
                digest.update(hashlib.file_digest(handle, "sha256").digest())
        return digest.hexdigest()

    def write_description(self, document: dict[str, Any]) -> None:
        """Write spec.json, whole or not at all."""
        write_json(self.spec_file, document)

    def write_metrics(self, metrics: dict[str, Any]) -> None:
        """Write metrics.json, whole or not at all."""
        write_json(self.metrics_file, metrics)

    def write_provenance(self, provenance: Provenance) -> None:
        """Write which images the model was trained on."""
        provenance.save(self.path / PROVENANCE_FILE)

    def write_card(self, text: str) -> None:
        """Write the model card, whole or not at all."""
        write_atomic(self.card_file, text.encode())

    def _require(self, name: str) -> None:
        if not self.find_file(name).is_file():
            raise ModelError(f"The model folder {self.name} lacks {name}.")
