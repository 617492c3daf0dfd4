"""What is to be explained, and whether a model can be looked into; loads no Keras."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bloodcell.core.errors import ExplainError, SpecError
from bloodcell.core.spec import Spec, require
from bloodcell.explain.explanation import METHODS, OCCLUSION, USE_OCCLUSION
from bloodcell.model_store.folder import ModelFolder
from bloodcell.networks.registry import BY_STEPS, get_network

FORMAT_VERSION = 1  # of what is kept; another number makes all be worked out anew


@dataclass(frozen=True)
class ExplainSpec(Spec):
    """One explanation of a model's answers to a crop, or to the crops of a class together.

    model, model_sha256 : name on the shelf, and the hash of the model that is meant
    crops_sha256 : `stored_crops.hash_crops` of the crops as the network sees them, which are kept for the job
    methods : of `explain.explanation.METHODS`
    of_class : the class that several crops belong to, "" for one crop
    layer : whose maps Grad-CAM weighs; "" for the last
    """

    model: str
    model_sha256: str
    crops_sha256: str
    methods: tuple[str, ...]
    of_class: str = ""
    layer: str = ""

    NOUN: ClassVar[str] = "spec of an explanation"

    def __post_init__(self) -> None:
        super().__post_init__()
        are_methods = bool(self.methods) and set(self.methods) <= set(METHODS)
        require(are_methods, f"`methods` must be some of {METHODS}. Received: {self.methods}.")

    @property
    def key(self) -> str:
        """What the explanation is kept under: SHA-256 of all that it depends on, in hexadecimal."""
        return hashlib.sha256(f"{FORMAT_VERSION} {json.dumps(self.to_dict(), sort_keys=True)}".encode()).hexdigest()


def find_cam_layer(model_dir: Path) -> str:
    """The layer that a model's family names for Grad-CAM, "" for one of no known family: then it is found in the network.

    Raises
    ------
    ExplainError
        If the model cannot be looked into: it has no model.keras, or is no network to its end.
    ModelError
        If the folder is no model.
    """
    model = ModelFolder(model_dir)
    training = model.read_description().training or {}
    if not model.keras_file.is_file():
        raise ExplainError(f"The model {model_dir.name} has no {model.keras_file.name} to look into. {USE_OCCLUSION}")
    try:
        family = get_network(str(training.get("model", "")))
    except SpecError:
        return ""
    if family.trained_by != BY_STEPS:
        raise ExplainError(f"In the model {model_dir.name} a support vector machine decides. {USE_OCCLUSION}")
    return family.cam_layer


def needs_keras(methods: tuple[str, ...]) -> bool:
    """Whether any of the methods looks into the network."""
    return any(method != OCCLUSION for method in methods)
