"""Inspecting a `.keras` file without running any of it, and without Keras: its members, its layers, its size."""

import io
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bloodcell.core.errors import IntakeError
from bloodcell.datasets.sources.archives import SafeZip
from bloodcell.model_store.inspection.allowed_layers import MODELS, find_problem
from bloodcell.model_store.inspection.keras_sizes import (
    count_outputs,
    count_parameters,
    get_part,
    iterate_objects,
    make_refusal,
    read_input_size,
)

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.weights.h5"
METADATA: Final = "metadata.json"
MAX_CONFIG_BYTES: Final = 16 * 2**20
MAX_LAYERS: Final = 3_000
MAX_NUMBER: Final = 1_000_000  # of any size that a layer has: units, filters, a length
MAX_PARAMETERS: Final = 100_000_000
MAX_MAP: Final = 2**26  # numbers that a layer gives for one image

# Numbers that are not sizes.
_NOT_SIZES: Final = frozenset({"seed", "shared_object_id"})
_SIGNATURES: Final = (
    (b"\x89HDF\r\n\x1a\n", "it is in the old HDF5 format (.h5), whose code cannot be inspected"),
    (b"\x80\x02", "it is a pickle, which can run any program"),
    (b"\x80\x03", "it is a pickle, which can run any program"),
    (b"\x80\x04", "it is a pickle, which can run any program"),
    (b"\x80\x05", "it is a pickle, which can run any program"),
)


@dataclass(frozen=True)
class KerasFile:
    """What a `.keras` file says of its network.

    Attributes
    ----------
    height_px, width_px : int
        Size of the colour image that is its input.
    n_layers : int
        Layers and calculations, those of nested networks too.
    n_outputs : int or None
        Numbers that it gives for each image; None where the file does not say that plainly.
    n_parameters : int
        Weights of all layers that name the shape of their input.
    scales_levels : bool
        Whether a layer scales the levels of the image.
    """

    height_px: int
    width_px: int
    n_layers: int
    n_outputs: int | None
    n_parameters: int
    scales_levels: bool


def inspect_keras(raw: io.RawIOBase | io.BytesIO) -> KerasFile:
    """Inspect a `.keras` file without running it.

    Parameters
    ----------
    raw : file object
        The file, unbuffered; closed in the end.

    Raises
    ------
    ModelError
        If it is something else or damaged, has members, layers, functions or numbers beyond what is allowed, or its
        input is not one colour image.
    """
    config = _read_config(raw)
    root = _read_root_config(config)
    objects = list(iterate_objects(config))
    if len(objects) > 20 * MAX_LAYERS:
        raise make_refusal(f"it has {len(objects):,} parts, and at most {20 * MAX_LAYERS:,} are allowed")
    for item in objects:
        _check_object(item)
    layers = [item for item in objects if "inbound_nodes" in item or item.get("module") == "keras.layers"]
    if len(layers) > MAX_LAYERS:
        raise make_refusal(f"it has {len(layers):,} layers, and at most {MAX_LAYERS:,} are allowed")
    n_parameters = sum(map(count_parameters, layers))
    if n_parameters > MAX_PARAMETERS:
        raise make_refusal(f"it would have {n_parameters:,} weights, and at most {MAX_PARAMETERS:,} are allowed")
    height_px, width_px = read_input_size(root)
    scales_levels = any(layer["class_name"] in ("Rescaling", "Normalization") for layer in layers)
    return KerasFile(height_px, width_px, len(layers), count_outputs(root), n_parameters, scales_levels)


def _read_config(raw: io.RawIOBase | io.BytesIO) -> dict[str, Any]:
    start = raw.read(8) or b""
    raw.seek(0)
    for signature, reason in _SIGNATURES:
        if start.startswith(signature):
            raw.close()
            raise make_refusal(f"{reason}; save the network as .keras")
    if not start.startswith(b"PK"):
        raw.close()
        raise make_refusal("it is not a zip file, as .keras files are")
    try:
        with SafeZip(raw) as archive:
            members = {info.filename: info for info in archive.members}
            _check_members(archive, [info.filename for info in archive.members])
            if members[CONFIG].file_size > MAX_CONFIG_BYTES:
                size = members[CONFIG].file_size / 2**20
                raise make_refusal(
                    f"its {CONFIG} has {size:.0f} MB, and at most {MAX_CONFIG_BYTES // 2**20} MB are allowed"
                )
            text = archive.read(members[CONFIG])
    except IntakeError as error:
        raise make_refusal(f"it cannot be read as a zip file ({str(error).rstrip('.')})") from error
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise make_refusal(f"its {CONFIG} is not valid JSON") from error
    if not isinstance(config, dict):
        raise make_refusal(f"its {CONFIG} holds no network")
    # Never used, since networks are loaded without compiling; those of nested networks would be, and are inspected.
    return config | {"compile_config": None}


def _check_members(archive: SafeZip, names: list[str]) -> None:
    for info in archive.members:
        problem = archive.find_problem(info)
        if problem:
            raise make_refusal(f"{info.filename[:80]}: {problem.rstrip('.')}")
    if "saved_model.pb" in {name.rsplit("/", 1)[-1] for name in names}:
        raise make_refusal("it is a SavedModel, a TensorFlow program; save the network as .keras")
    others = sorted(set(names) - {CONFIG, WEIGHTS, METADATA})
    if others:
        raise make_refusal(f"it holds {others[0][:80]!r}, but only {CONFIG}, {METADATA} and {WEIGHTS} are allowed")
    if len(set(names)) != len(names):
        raise make_refusal("it holds a member twice")
    missing = [name for name in (CONFIG, WEIGHTS) if name not in names]
    if missing:
        raise make_refusal(f"it lacks {' and '.join(missing)}")


def _read_root_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of the outermost network."""
    problem = find_problem(config.get("module"), config.get("class_name"), config.get("registered_name"))
    if problem:
        raise make_refusal(problem)
    inner = get_part(config, "config")
    if (config.get("module"), config["class_name"]) not in MODELS:
        raise make_refusal("it holds no network of layers")
    layers = inner.get("layers")
    if not isinstance(layers, list) or not layers or not all(isinstance(layer, dict) for layer in layers):
        raise make_refusal("its network has no layers")
    return inner


def _check_object(item: dict[str, Any]) -> None:
    class_name = item["class_name"]
    problem = find_problem(item.get("module"), class_name, item.get("registered_name"))
    if problem:
        raise make_refusal(problem)
    if item.get("compile_config"):
        raise make_refusal("a network nested in it carries training settings; save it without them")
    if class_name == "__keras_tensor__":
        _check_map(get_part(item, "config").get("shape"))
    elif class_name in ("__numpy__", "__tensor__"):
        if not str(get_part(item, "config").get("dtype")).startswith(("float", "int", "bool", "uint")):
            raise make_refusal("it holds an array of something other than numbers")
    elif class_name == "InputLayer" or "build_config" in item:
        _check_map(get_part(item, "config").get("batch_shape"))
        _check_map(get_part(item, "build_config").get("input_shape"))
    for name, number in _iterate_numbers({key: item.get(key) for key in ("config", "build_config")}):
        if abs(number) > MAX_NUMBER:
            raise make_refusal(
                f"{name!r} of its part {class_name} is {number:,}, and at most {MAX_NUMBER:,} is allowed"
            )


def _iterate_numbers(value: Any, name: str = "") -> Iterator[tuple[str, int]]:
    """Yield the whole numbers of an object's own settings with their names; nested objects are checked by themselves."""
    waiting = [(name, value)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            if "class_name" not in value:
                waiting += [(key, inner) for key, inner in value.items() if key not in _NOT_SIZES]
        elif isinstance(value, list):
            waiting += [(name, inner) for inner in value]
        elif isinstance(value, int):
            yield name, value


def _check_map(shape: Any) -> None:
    """Refuse the shape of an image or map that would be too large; None stands for any number."""
    if not isinstance(shape, list):
        return
    sides = [side for side in shape if isinstance(side, int)]
    if math.prod(max(1, side) for side in sides) > MAX_MAP:
        raise make_refusal(f"a map in it would have the shape {shape}, and at most {MAX_MAP:,} numbers are allowed")
