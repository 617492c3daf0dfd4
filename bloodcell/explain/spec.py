"""What is to be explained, and whether a network can be looked into; loads no Keras."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from bloodcell.core.errors import ExplainError, SpecError
from bloodcell.core.spec import Spec, require
from bloodcell.explain.explanation import METHODS, OCCLUSION, USE_OCCLUSION
from bloodcell.model_store.folder import ModelFolder
from bloodcell.networks.registry import BY_STEPS, get_network

FORMAT_VERSION: Final = 1  # with another number, all stored explanations are created again


@dataclass(frozen=True)
class ExplainSpec(Spec):
    """One explanation of a model's prediction for a crop, or for the crops of a class together.

    Attributes
    ----------
    model : str
        Name in the model library.
    model_sha256 : str
        Hash of the model.
    crops_sha256 : str
        `explanation.hash_crops` of the crops as the network sees them, which are kept for the job.
    methods : tuple of str
        Some of `explanation.METHODS`.
    of_class : str
        The class that several crops belong to; "" for one crop, the default.
    layer : str
        Layer for Grad-CAM; "" for the last one, the default.

    Raises
    ------
    SpecError
        If a setting is missing or not allowed.
    """

    model: str
    model_sha256: str
    crops_sha256: str
    methods: tuple[str, ...]
    of_class: str = ""
    layer: str = ""

    NOUN: ClassVar[str] = "explanation spec"

    def __post_init__(self) -> None:
        super().__post_init__()
        are_methods = bool(self.methods) and set(self.methods) <= set(METHODS)
        require(are_methods, f"`methods` must be some of {METHODS}. Received: {self.methods}.")

    @property
    def key(self) -> str:
        """Name of the folder that the explanation is kept in: SHA-256 of all that it depends on, in hexadecimal."""
        return hashlib.sha256(f"{FORMAT_VERSION} {json.dumps(self.to_dict(), sort_keys=True)}".encode()).hexdigest()


def find_cam_layer(model_dir: Path) -> str:
    """Find the layer that Grad-CAM uses for a model's kind of network.

    Parameters
    ----------
    model_dir : Path
        A model folder.

    Returns
    -------
    str
        "" for a network of an unknown kind, whose layer is found in the network itself.

    Raises
    ------
    ExplainError
        If the model cannot be looked into: it has no Keras network, or a support vector machine classifies.
    ModelError
        If the folder does not hold a model.
    """
    model = ModelFolder(model_dir)
    training = model.read_description().training or {}
    if not model.keras_file.is_file():
        raise ExplainError(f"The model {model_dir.name} has no {model.keras_file.name} to look into. {USE_OCCLUSION}")
    try:
        network = get_network(str(training.get("model", "")))
    except SpecError:
        return ""
    if network.trained_by != BY_STEPS:
        raise ExplainError(f"In the model {model_dir.name}, a support vector machine classifies. {USE_OCCLUSION}")
    return network.cam_layer


def needs_keras(methods: tuple[str, ...]) -> bool:
    """Tell whether any of the methods looks into the network.

    Examples
    --------
    >>> needs_keras(("occlusion",)), needs_keras(("occlusion", "gradcam"))
    (False, True)
    """
    return any(method != OCCLUSION for method in methods)
