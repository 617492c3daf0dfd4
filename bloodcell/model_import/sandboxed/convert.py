"""Making a model folder of a network from elsewhere: fit its levels and output to ours, export, compare, describe."""

import contextlib
import io
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import numpy.typing as npt
from keras import layers, ops

from bloodcell.core.errors import ModelError
from bloodcell.imaging.crop import BACKGROUND_LEVEL, resize_image
from bloodcell.model_import.load_spec import CONTEXT, LEVELS, LoadSpec
from bloodcell.model_import.sandbox import SmokeTest
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from bloodcell.model_store.io_spec import CELL, LOGITS, LOGITS_ONLY, ModelIOSpec
from bloodcell.model_store.versions import read_revision, read_versions
from bloodcell.networks.builders.keras_file import load_keras_file, save_network
from bloodcell.synthetic.gallery import draw_field
from bloodcell.training.fitting.export import export_logits_onnx

# Keeps the logarithm of a probability of 0 finite.
TINY: Final = 1e-7
N_RANDOM: Final = 8
N_DRAWN: Final = 4
NOT_MEASURED: Final = (
    "No thresholds were measured for this model, so every cell gets the status check: look at each one yourself."
)


@dataclass(frozen=True)
class Conversion:
    """What is known of a converted network.

    Attributes
    ----------
    parameters : int
        Number of its weights.
    largest_difference : float
        Largest difference of a probability between Keras and ONNX Runtime, on random and drawn images.
    """

    parameters: int
    largest_difference: float


def convert(path: Path, spec: LoadSpec, folder: ModelFolder, on_step: Callable[[str], None]) -> Conversion:
    """Make a model folder of a `.keras` file; its card and metrics are written after a smoke test.

    Parameters
    ----------
    path : Path
        The file, under a name that ends in .keras.
    spec : LoadSpec
        How to import it, of format "keras".
    folder : ModelFolder
        Folder to make.
    on_step : callable
        Called with each step before it.

    Raises
    ------
    ModelError
        If the file is refused, its network does not fit `spec`, or the exported network predicts otherwise.
    """
    on_step("Reading the network")
    model = load_keras_file(path)
    images = _make_check_images(*_read_input_size(model))
    wrapped = _wrap_network(model, spec, images)
    folder.path.mkdir(parents=True)
    on_step("Exporting it to ONNX and comparing the predictions")
    with contextlib.redirect_stdout(io.StringIO()):
        difference = export_logits_onnx(wrapped, folder.network_file, images)
    save_network(wrapped, folder.keras_file)
    folder.write_description(_make_description(spec, *_read_input_size(model)))
    return Conversion(model.count_params(), float(f"{difference:.2g}"))


def write_card_and_metrics(folder: ModelFolder, conversion: Conversion, smoke_test: SmokeTest) -> None:
    """Write README.md and metrics.json of a model that came as a `.keras` file."""
    loading = asdict(smoke_test) | {"largest_difference": conversion.largest_difference}
    folder.write_metrics({"parameters": conversion.parameters, "loading": loading})
    description = folder.read_description()
    io_spec = description.io_spec
    predicted = ", ".join(f"{name} {count}" for name, count in smoke_test.named.items())
    lines = [
        f"# {description.title}",
        "",
        f"Imported from a file, not trained here. Classes, in order: {', '.join(description.class_names)}. Its input is"
        f" {'found cells' if io_spec.input == CELL else 'whole images'} of {io_spec.height_px}x{io_spec.width_px} px with"
        f" levels {description.document['loaded_from']['levels']}; it has {conversion.parameters:,} parameters.",
        "",
        "## What it must not be used for",
        "",
        "It is **not a medical device**. It must not decide anything about a patient; a person looks at every cell. What it"
        " was trained on, and how accurate it is, is unknown: evaluate it on labelled images before you rely on it.",
        "",
        "## How far to trust it",
        "",
        NOT_MEASURED,
        "",
        "## How it was checked",
        "",
        f"Its probabilities in ONNX Runtime differ from those in Keras by at most {conversion.largest_difference}. A test on"
        f" {smoke_test.n_cells} drawn cells ({predicted}) took {smoke_test.ms_per_cell} ms per cell; it shows that the model"
        " runs, not that it is accurate.",
    ]
    folder.write_card("\n".join(lines) + "\n")


def _read_input_size(model: keras.Model) -> tuple[int, int]:
    shape: tuple[int, ...] = model.inputs[0].shape if len(model.inputs) == 1 else ()
    if len(shape) != 4 or shape[-1] != 3 or None in shape[1:]:
        raise ModelError(
            f"The input of the network must be one colour image (N, height, width, 3). Received: {model.input_shape}."
        )
    return shape[1], shape[2]


def _make_check_images(height_px: int, width_px: int) -> npt.NDArray[np.uint8]:
    """Make random images and drawn cells: uint8 (N, height_px, width_px, 3)."""
    random = np.random.default_rng(0).integers(0, 256, (N_RANDOM, height_px, width_px, 3), np.uint8)
    drawn = [draw_field(seed, 1, 120, 120, scale=0.45, n_platelets=0).rgb for seed in range(N_DRAWN)]
    return np.concatenate([random, np.stack([resize_image(rgb, height_px, width_px) for rgb in drawn])])


def _wrap_network(model: keras.Model, spec: LoadSpec, images: npt.NDArray[np.uint8]) -> keras.Model:
    """Build the network with levels 0-255 as input and the output "logits", whatever its own are."""
    crops = keras.Input((*_read_input_size(model), 3), name="crops")
    scaled = crops
    if spec.levels != 255:
        factor, offset = (1 / 255, 0.0) if spec.levels == 1 else (1 / 127.5, -1.0)
        scaled = layers.Rescaling(factor, offset=offset, name="scaling_of_levels")(crops)
    # Fixed in the graph: augmentation layers would otherwise act as in training.
    output = _select_output(model(scaled, training=False))
    if len(output.shape) != 2 or output.shape[-1] is None:
        raise ModelError(
            f"The output of the network must be one number for each class, (N, classes). Received: {output.shape}."
        )
    check_class_names(spec.class_names, output.shape[-1])
    output = ops.cast(output, "float32") if output.dtype != "float32" else output
    values = keras.ops.convert_to_numpy(keras.Model(crops, output)(images.astype(np.float32), training=False))
    return keras.Model(crops, {LOGITS: _to_logits(output, values, _find_last_step(model))}, name="loaded")


def _select_output(outputs: Any) -> Any:
    """Return the one output; of a network of our own, which has several, its logits."""
    by_name = outputs if isinstance(outputs, dict) else {LOGITS: outputs}
    if LOGITS not in by_name and len(by_name) == 1:
        by_name = {LOGITS: next(iter(by_name.values()))}
    output = by_name.get(LOGITS)
    if isinstance(output, list | tuple) and len(output) == 1:
        output = output[0]
    if output is None or isinstance(output, list | tuple | dict):
        raise ModelError("The network must have one output. Received: several.")
    return output


def _find_last_step(model: keras.Model) -> str:
    """Name the function that the network ends in: an activation, else the kind of its last layer."""
    output = model.output.get(LOGITS, model.outputs[0]) if isinstance(model.output, dict) else model.outputs[0]
    last = output._keras_history.operation
    if isinstance(last, keras.Model):
        return _find_last_step(last)
    activation = getattr(last, "activation", None)
    return str(getattr(activation, "__name__", type(last).__name__)).lower()


def _to_logits(output: Any, values: npt.NDArray[Any], last_step: str) -> Any:
    """Turn an output (N, C) into logits, whose softmax is its probabilities; `values` are what it gives for images."""
    if not np.isfinite(values).all():
        raise ModelError("The network gives values that are not numbers, for random or drawn images.")
    if values.shape[1] == 1:
        if last_step != "sigmoid":
            raise ModelError(f"A network with one output must end in a sigmoid. Received: {last_step!r}.")
        return ops.log(ops.concatenate([1.0 - output, output], axis=-1) + TINY)
    if (values >= 0).all() and np.allclose(values.sum(axis=1), 1, atol=1e-3):
        return ops.log(output + TINY)
    if last_step in ("linear", "add", "rescaling"):
        return output
    raise ModelError(f"The network must end in a softmax, or in logits, one for each class. Received: {last_step!r}.")


def _make_description(spec: LoadSpec, height_px: int, width_px: int) -> dict[str, Any]:
    io_spec = ModelIOSpec(height_px, width_px, spec.input, CONTEXT if spec.input == CELL else 1.0, LOGITS_ONLY)
    balanced = f", background balanced to {BACKGROUND_LEVEL}" if spec.input == CELL else ""
    return {
        "format": 1,
        "name": spec.name,
        "title": f"Imported from {spec.file_name}" if spec.file_name else spec.name,
        "class_names": list(spec.class_names),
        **io_spec.to_dict(),
        "scaling": f"levels 0-255{balanced}; {LEVELS[spec.levels]}, inside the graph",
        "calibration": None,
        "statuses": NOT_MEASURED,
        "loaded_from": {"file": spec.file_name, "levels": LEVELS[spec.levels]},
        "versions": read_versions(),
        "revision": read_revision(),
    }
