"""A network from elsewhere made a model of the shelf: its levels and answer fitted to ours, exported, compared, described."""

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers, ops

from bloodcell.core.errors import ModelError
from bloodcell.core.io import write_json
from bloodcell.imaging.crop import BACKGROUND_LEVEL, resize_image
from bloodcell.model_import.load_spec import CONTEXT, LEVELS, LoadSpec
from bloodcell.model_store.folder import NETWORK_FILE, SPEC_FILE
from bloodcell.model_store.inspection.keras_sizes import check_class_names
from bloodcell.model_store.io_spec import CELL, LOGITS, LOGITS_ONLY, ModelIOSpec
from bloodcell.model_store.model_zip import KERAS_FILE
from bloodcell.model_store.versions import read_revision, versions
from bloodcell.networks.builders.open_file import load_keras_file
from bloodcell.networks.builders.saved import save_network
from bloodcell.synthetic.gallery import draw_field
from bloodcell.training.fitting.export import export_logits_onnx

# Keeps the logarithm of a probability of 0 finite.
TINY = 1e-7
N_RANDOM, N_DRAWN = 8, 4
NOT_MEASURED = "No thresholds were measured for this model, so every cell is marked check: look at each one yourself."


def convert(path: Path, spec: LoadSpec, folder: Path, on_step: Callable[[str], None]) -> dict[str, Any]:
    """Make a model folder of a `.keras` file; all but its card and metrics.json, which need its trial.

    Parameters
    ----------
    path : the file, under a name that ends in .keras
    spec : LoadSpec of format "keras"
    folder : folder to make
    say : called with what is done next

    Returns
    -------
    dict
        parameters, and largest_difference: of a probability between Keras and ONNX Runtime, on random and drawn pictures

    Raises
    ------
    ModelError
        If the file is refused, its network does not fit what `spec` says, or the exported one answers otherwise.
    """
    on_step("Reading the network")
    model = load_keras_file(path)
    images = _make_check_images(*_read_input_size(model))
    whole = _wrap_network(model, spec, images)
    folder.mkdir(parents=True)
    on_step("Writing it for ONNX Runtime and comparing the answers")
    with contextlib.redirect_stdout(io.StringIO()):
        difference = export_logits_onnx(whole, folder / NETWORK_FILE, images)
    save_network(whole, folder / KERAS_FILE)
    write_json(folder / SPEC_FILE, _make_description(spec, *_read_input_size(model)))
    return {"parameters": model.count_params(), "largest_difference": float(f"{difference:.2g}")}


def write_loaded_card(folder: Path, description: dict[str, Any], metrics: dict[str, Any]) -> None:
    """Write README.md of a model that came as a `.keras` file.

    Parameters
    ----------
    description, metrics : contents of spec.json and metrics.json
    """
    origin, loading = description["loaded_from"], metrics["loading"]
    named = ", ".join(f"{name} {count}" for name, count in loading["named"].items())
    lines = [
        f"# {description['title']}",
        "",
        f"Loaded from a file, not trained here; it takes levels {origin['levels']}. Classes, in order:"
        f" {', '.join(description['class_names'])}. It takes"
        f" {'found cells' if description['input'] == CELL else 'whole pictures'} of"
        f" {description['height_px']}x{description['width_px']} px and has {metrics['parameters']:,} parameters.",
        "",
        "## What it must not be used for",
        "",
        "It is **no medical device**. It must not decide anything about a patient; a person looks at every cell. What it"
        " learned from, and how good it is, is not known here: measure it on labelled images before you rely on it.",
        "",
        "## How far to trust it",
        "",
        NOT_MEASURED,
        "",
        "## How it was checked",
        "",
        f"Its answers in ONNX Runtime differ from those in Keras by at most {loading['largest_difference']} of a"
        f" probability. Tried on {loading['n_cells']} drawn cells, which says that it runs and not that it is right"
        f" ({named}), at {loading['ms_per_cell']} ms a cell.",
    ]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _read_input_size(model: keras.Model) -> tuple[int, int]:
    shape: tuple[int, ...] = model.inputs[0].shape if len(model.inputs) == 1 else ()
    if len(shape) != 4 or shape[-1] != 3 or None in shape[1:]:
        raise ModelError(
            f"The network must take one colour picture (N, height, width, 3). It takes {model.input_shape}."
        )
    return shape[1], shape[2]


def _make_check_images(height_px: int, width_px: int) -> np.ndarray:
    """Random pictures, and drawn cells: uint8 (N, height_px, width_px, 3)."""
    random = np.random.default_rng(0).integers(0, 256, (N_RANDOM, height_px, width_px, 3), np.uint8)
    fields = [draw_field(seed, 1, 120, 120, scale=0.45, n_platelets=0).rgb for seed in range(N_DRAWN)]
    return np.concatenate([random, np.stack([resize_image(rgb, height_px, width_px) for rgb in fields])])


def _wrap_network(model: keras.Model, spec: LoadSpec, images: np.ndarray) -> keras.Model:
    """The network with raw levels in and the output "logits" out, whatever it takes and gives itself."""
    crops = keras.Input((*_read_input_size(model), 3), name="crops")
    scaled = crops
    if spec.levels != 255:
        factor, offset = (1 / 255, 0.0) if spec.levels == 1 else (1 / 127.5, -1.0)
        scaled = layers.Rescaling(factor, offset=offset, name="scaling_of_levels")(crops)
    # Said once and for all: layers that vary pictures think otherwise unless they are told.
    answer = _select_output(model(scaled, training=False))
    if len(answer.shape) != 2 or answer.shape[-1] is None:
        raise ModelError(f"The network must give one number a class, (N, classes). It gives {answer.shape}.")
    check_class_names(spec.class_names, answer.shape[-1])
    answer = ops.cast(answer, "float32") if answer.dtype != "float32" else answer
    asked = keras.Model(crops, answer)(images.astype(np.float32), training=False)
    answered = keras.ops.convert_to_numpy(asked)
    return keras.Model(crops, {LOGITS: _to_logits(answer, answered, _find_last_step(model))}, name="loaded")


def _select_output(answer: Any) -> Any:
    """The one output; of a network of our own, which has several, its logits."""
    answers = answer if isinstance(answer, dict) else {LOGITS: answer}
    if LOGITS not in answers and len(answers) == 1:
        answers = {LOGITS: next(iter(answers.values()))}
    one = answers.get(LOGITS)
    if isinstance(one, list | tuple) and len(one) == 1:
        one = one[0]
    if one is None or isinstance(one, list | tuple | dict):
        raise ModelError("The network must give one answer a picture. It gives several.")
    return one


def _find_last_step(model: keras.Model) -> str:
    """Name of the function that the network ends in: an activation, else the kind of its last layer."""
    output = model.output.get(LOGITS, model.outputs[0]) if isinstance(model.output, dict) else model.outputs[0]
    last = output._keras_history.operation
    if isinstance(last, keras.Model):
        return _find_last_step(last)
    activation = getattr(last, "activation", None)
    return getattr(activation, "__name__", type(last).__name__).lower()


def _to_logits(answer: Any, answered: np.ndarray, last_step: str) -> Any:
    """From what a network gives to logits, whose softmax is its probabilities.

    Parameters
    ----------
    answer : KerasTensor (N, C)
    answered : the same for pictures
    last_step : what the network ends in, of `_find_last_step`
    """
    if not np.isfinite(answered).all():
        raise ModelError("The network gives answers that are no numbers, for random or drawn pictures.")
    if answered.shape[1] == 1:
        if last_step != "sigmoid":
            raise ModelError(f"A network with one output must end in a sigmoid. It ends in {last_step!r}.")
        return ops.log(ops.concatenate([1.0 - answer, answer], axis=-1) + TINY)
    if (answered >= 0).all() and np.allclose(answered.sum(axis=1), 1, atol=1e-3):
        return ops.log(answer + TINY)
    if last_step in ("linear", "add", "rescaling"):
        return answer
    raise ModelError(
        "The network must end in a softmax, or in plain numbers, one a class, of which softmax makes probabilities."
        f" It ends in {last_step!r}."
    )


def _make_description(spec: LoadSpec, height_px: int, width_px: int) -> dict[str, Any]:
    io_spec = ModelIOSpec(height_px, width_px, spec.input, CONTEXT if spec.input == CELL else 1.0, LOGITS_ONLY)
    balanced = f", background balanced to {BACKGROUND_LEVEL}" if spec.input == CELL else ""
    return {
        "format": 1,
        "name": spec.name,
        "title": f"Loaded from {spec.file_name}" if spec.file_name else spec.name,
        "class_names": list(spec.class_names),
        **io_spec.to_description(),
        "scaling": f"levels 0-255{balanced}; {LEVELS[spec.levels]}, inside the graph",
        "calibration": None,
        "statuses": NOT_MEASURED,
        "loaded_from": {"file": spec.file_name, "levels": LEVELS[spec.levels]},
        "versions": versions(),
        "revision": read_revision(),
    }
