"""Sizes in the config of a Keras network, read without Keras: its input, its number of weights, its outputs."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bloodcell.core.errors import ModelError

MAX_SIDE_PX: Final = 1_024
MAX_CLASSES: Final = 1_000
_SHAPE_KEEPING: Final = ("Activation", "Softmax", "Dropout", "ActivityRegularization", "Identity")


def make_refusal(reason: str) -> ModelError:
    """Make the error for a `.keras` file that is refused; `reason` is the rest of a sentence."""
    return ModelError(f"The .keras file is refused: {reason}.")


def check_class_names(names: Sequence[str], n_outputs: int | None = None) -> None:
    """Check that names can be the classes of a network.

    Parameters
    ----------
    names : sequence of str
        Class names.
    n_outputs : int, optional
        Numbers that the network gives; None where that is unknown. A network with one output has two classes.

    Raises
    ------
    ModelError
        If the names cannot be shown, are not different, or are too few or too many.

    Examples
    --------
    >>> check_class_names(("Monocyte", "Lymphocyte"), n_outputs=3)
    Traceback (most recent call last):
        ...
    bloodcell.core.errors.ModelError: The network has 3 classes. Received: 2 class names.
    """
    if len(names) < 2 or len(names) > MAX_CLASSES:
        raise ModelError(f"A model needs 2 to {MAX_CLASSES:,} class names. Received: {len(names)}.")
    if not all(name and len(name) <= 80 and name.isprintable() for name in names):
        raise ModelError(f"Every class name must have 1 to 80 printable characters. Received: {list(names)}.")
    if len(set(names)) != len(names):
        raise ModelError(f"Class names must differ. Received: {list(names)}.")
    n_classes = 2 if n_outputs == 1 else n_outputs
    if n_classes is not None and n_classes != len(names):
        raise ModelError(f"The network has {n_classes} classes. Received: {len(names)} class names.")


def iterate_objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield everything that Keras would make an object of, however deeply nested."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def get_part(config: dict[str, Any], key: str) -> dict[str, Any]:
    """Return what an object holds under `key` where that is a dict, else an empty one."""
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def count_parameters(layer: dict[str, Any]) -> int:
    """Count the weights of a layer from the shape of its input; 0 where it has none or the shape is missing."""
    inner, shape = get_part(layer, "config"), get_part(layer, "build_config").get("input_shape")
    if not isinstance(shape, list) or not shape or not isinstance(shape[-1], int):
        return 0
    channels = shape[-1]
    kernel = inner.get("kernel_size")
    area = math.prod(side for side in kernel if isinstance(side, int)) if isinstance(kernel, list) else 1
    filters, depth = (
        value if isinstance(value := inner.get(key), int) else 1 for key in ("filters", "depth_multiplier")
    )
    match layer["class_name"]:
        case "Dense":
            units = inner.get("units")
            return (channels + 1) * units if isinstance(units, int) else 0
        case "Conv2D" | "Conv2DTranspose":
            groups = inner.get("groups")
            return (
                area * (channels // groups if isinstance(groups, int) and groups > 0 else channels) * filters + filters
            )
        case "DepthwiseConv2D":
            return (area + 1) * channels * depth
        case "SeparableConv2D":
            return channels * depth * (area + filters) + filters
        case "BatchNormalization":
            return 4 * channels
    return 0


def read_input_size(root: dict[str, Any]) -> tuple[int, int]:
    """Read the height and width of the input of the outermost network; ModelError if it is not one colour image."""
    inputs = [get_part(layer, "config") for layer in root["layers"] if layer.get("class_name") == "InputLayer"]
    if len(inputs) > 1:
        raise make_refusal(f"it has {len(inputs)} inputs, but only one image is allowed")
    shape = inputs[0].get("batch_shape") if inputs else root.get("build_input_shape")
    if not isinstance(shape, list) or len(shape) != 4 or shape[-1] != 3:
        raise make_refusal(f"its input must be colour images (any number, height, width, 3), but is {shape}")
    height, width = shape[1:3]
    if not all(isinstance(side, int) and 1 <= side <= MAX_SIDE_PX for side in (height, width)):
        raise make_refusal(f"its input must have a fixed size, at most {MAX_SIDE_PX:,} px on each side, but is {shape}")
    return height, width


def count_outputs(root: dict[str, Any]) -> int | None:
    """Count the numbers that the last layer gives; None where the config does not say it plainly."""
    layers = root["layers"]
    last: Any = layers[-1]
    if "output_layers" in root:
        outputs = root["output_layers"]
        name = outputs[0] if isinstance(outputs, list) and outputs and isinstance(outputs[0], str) else None
        if isinstance(outputs, dict):  # as in our own networks
            outputs = [outputs.get("logits")]
        if isinstance(outputs, list) and len(outputs) == 1 and isinstance(outputs[0], list) and outputs[0]:
            name = outputs[0][0]
        last = next((layer for layer in layers if layer.get("name") == name), {})
    if last.get("class_name") in _SHAPE_KEEPING:
        shape = get_part(last, "build_config").get("input_shape")
        if not isinstance(shape, list):  # Keras writes it only for layers with weights
            tensors = [item for item in iterate_objects(last) if item["class_name"] == "__keras_tensor__"]
            shape = get_part(tensors[0], "config").get("shape") if tensors else None
        return shape[-1] if isinstance(shape, list) and shape and isinstance(shape[-1], int) else None
    units = get_part(last, "config").get("units") if last.get("class_name") == "Dense" else None
    return units if isinstance(units, int) else None
