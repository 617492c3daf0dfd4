"""What a model says of itself: the contents of its spec.json."""

import json
from dataclasses import dataclass
from typing import Any

from bloodcell.core.errors import ModelError
from bloodcell.model_store.io_spec import ModelIOSpec, read_io_spec


@dataclass(frozen=True)
class ModelDescription:
    """Contents of spec.json, checked for what prediction needs.

    Attributes
    ----------
    title : str
        What to show; the model's name where spec.json has none.
    class_names : tuple of str
        In the order of the network's outputs.
    io_spec : ModelIOSpec
        Input and outputs of the network.
    calibration : dict or None
        Temperature and thresholds as they were written, not checked; None where none were measured.
    training : dict or None
        Settings of the run that the model was trained in; None of an imported model.
    document : dict
        All of spec.json as it was written.
    """

    title: str
    class_names: tuple[str, ...]
    io_spec: ModelIOSpec
    calibration: dict[str, Any] | None
    training: dict[str, Any] | None
    document: dict[str, Any]


def parse_description(data: bytes, name: str) -> ModelDescription:
    """Parse the spec.json of a model.

    Parameters
    ----------
    data : bytes
        Contents of the file.
    name : str
        Name of the model, for the title and for errors.

    Raises
    ------
    ModelError
        If it is no JSON object, or what prediction needs is missing or makes no sense.

    Examples
    --------
    >>> description = parse_description(b'{"class_names": ["A", "B"], "side_px": 64, "context": 1.25}', "mine")
    >>> description.title, description.class_names, description.io_spec.height_px
    ('mine', ('A', 'B'), 64)
    """
    document = parse_json_object(data, "spec.json", name)
    if "class_names" not in document:
        raise ModelError(f"spec.json of the model {name} lacks class_names.")
    io_spec = read_io_spec(document, name)
    class_names = document["class_names"]
    are_names = isinstance(class_names, list) and all(isinstance(class_name, str) for class_name in class_names)
    if not are_names or len(set(class_names)) != len(class_names):
        raise ModelError(
            f"`class_names` of the model {name} must be a list of different names. Received: {class_names}."
        )
    training = document.get("training")
    return ModelDescription(
        title=str(document.get("title") or name),
        class_names=tuple(class_names),
        io_spec=io_spec,
        calibration=document.get("calibration"),
        training=training if isinstance(training, dict) else None,
        document=document,
    )


def parse_json_object(data: bytes, file: str, name: str) -> dict[str, Any]:
    """Parse the JSON object in a file of the model `name`; ModelError where there is none."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file} of the model {name} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise ModelError(f"{file} of the model {name} must be one JSON object.")
    return document
