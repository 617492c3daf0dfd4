"""Sizes in the config of a Keras network, read without Keras: what it takes, how many weights it has, what it gives."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from bloodcell.core.errors import ModelError

MAX_SIDE_PX: Final = 1_024
MAX_CLASSES: Final = 1_000
_SHAPE_KEEPING: Final = ("Activation", "Softmax", "Dropout", "ActivityRegularization", "Identity")


def make_refusal(reason: str) -> ModelError:
    """The error for a `.keras` file that is not taken; `reason` is part of a sentence."""
    return ModelError(f"The .keras file is refused: {reason}.")


def check_class_names(names: Sequence[str], n_outputs: int | None = None) -> None:
    """Raise ModelError unless these can be the classes of a network with so many outputs (None: not known yet).

    A network with one output tells two classes apart.
    """
    if len(names) < 2 or len(names) > MAX_CLASSES:
        raise ModelError(f"A model needs 2 to {MAX_CLASSES:,} class names. Received: {len(names)}.")
    if not all(name and len(name) <= 80 and name.isprintable() for name in names):
        raise ModelError(f"Every class name must have 1 to 80 letters that can be shown. Received: {list(names)}.")
    if len(set(names)) != len(names):
        raise ModelError(f"No class name may come twice. Received: {list(names)}.")
    wanted = 2 if n_outputs == 1 else n_outputs
    if wanted is not None and wanted != len(names):
        raise ModelError(f"The network tells {wanted} classes apart. Received: {len(names)} class names.")


def iterate_objects(config: Any) -> Iterator[dict[str, Any]]:
    """Everything that Keras would make an object of, however deeply nested."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def get_part(one: dict[str, Any], key: str) -> dict[str, Any]:
    """What an object holds under `key`, where that is a dict; else an empty one."""
    value = one.get(key)
    return value if isinstance(value, dict) else {}


def count_parameters(layer: dict[str, Any]) -> int:
    """Weights of a layer, from what it says of its input; 0 where it has none or does not say."""
    inner, shape = get_part(layer, "config"), get_part(layer, "build_config").get("input_shape")
    if not isinstance(shape, list) or not shape or not isinstance(shape[-1], int):
        return 0
    given = shape[-1]
    kernel = inner.get("kernel_size")
    area = math.prod(side for side in kernel if isinstance(side, int)) if isinstance(kernel, list) else 1
    filters, depth = (
        value if isinstance(value := inner.get(key), int) else 1 for key in ("filters", "depth_multiplier")
    )
    match layer["class_name"]:
        case "Dense":
            units = inner.get("units")
            return (given + 1) * units if isinstance(units, int) else 0
        case "Conv2D" | "Conv2DTranspose":
            groups = inner.get("groups")
            return area * (given // groups if isinstance(groups, int) and groups > 0 else given) * filters + filters
        case "DepthwiseConv2D":
            return (area + 1) * given * depth
        case "SeparableConv2D":
            return given * depth * (area + filters) + filters
        case "BatchNormalization":
            return 4 * given
    return 0


def read_input_size(root: dict[str, Any]) -> tuple[int, int]:
    """Height and width of what the outermost network takes."""
    inputs = [get_part(layer, "config") for layer in root["layers"] if layer.get("class_name") == "InputLayer"]
    if len(inputs) > 1:
        raise make_refusal(f"it takes {len(inputs)} inputs, where one picture is allowed")
    shape = inputs[0].get("batch_shape") if inputs else root.get("build_input_shape")
    if not isinstance(shape, list) or len(shape) != 4 or shape[-1] != 3:
        raise make_refusal(f"it must take colour pictures (any number, height, width, 3), and takes {shape}")
    height, width = shape[1:3]
    if not all(isinstance(side, int) and 1 <= side <= MAX_SIDE_PX for side in (height, width)):
        raise make_refusal(
            f"it must take pictures of a fixed size, at most {MAX_SIDE_PX:,} px a side, and takes {shape}"
        )
    return height, width


def n_outputs(root: dict[str, Any]) -> int | None:
    """How many numbers the last layer gives; None where the config does not say it plainly."""
    layers = root["layers"]
    last: Any = layers[-1]
    if "output_layers" in root:
        named = root["output_layers"]
        name = named[0] if isinstance(named, list) and named and isinstance(named[0], str) else None
        if isinstance(named, dict):  # as our own networks name theirs
            named = [named.get("logits")]
        if isinstance(named, list) and len(named) == 1 and isinstance(named[0], list) and named[0]:
            name = named[0][0]
        last = next((layer for layer in layers if layer.get("name") == name), {})
    if last.get("class_name") in _SHAPE_KEEPING:
        shape = get_part(last, "build_config").get("input_shape")
        if not isinstance(shape, list):  # Keras notes it for layers with weights only
            tensors = [one for one in iterate_objects(last) if one["class_name"] == "__keras_tensor__"]
            shape = get_part(tensors[0], "config").get("shape") if tensors else None
        return shape[-1] if isinstance(shape, list) and shape and isinstance(shape[-1], int) else None
    units = get_part(last, "config").get("units") if last.get("class_name") == "Dense" else None
    return units if isinstance(units, int) else None
