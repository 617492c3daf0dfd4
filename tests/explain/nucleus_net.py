"""A network whose prediction a reader can do by hand: how dark the crop is, on average, decides; and a drawn cell for it.

Channel 0 of its convolution is how far the green level lies below 110, over 100: above 0 in the nucleus alone. Channel
1 is how far it lies above 200. The logit of NUCLEUS is 40 times the mean of channel 0 less 4; that of OTHER is 0.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

from bloodcell.imaging.find import find_white_cells
from bloodcell.imaging.read import encode_png
from bloodcell.inference.ood import FeatureStatistics
from bloodcell.synthetic.gallery import draw_field

SIDE_PX = 48
NAMES = ("OTHER", "NUCLEUS")
NUCLEUS = NAMES.index("NUCLEUS")
IO_SPEC = {"side_px": SIDE_PX, "context": 1.3, "input": "cell"}
_DONE: list[Path] = []


def network(names: tuple[str, ...] = NAMES):
    """The keras.Model; where there are other classes their logits are 0."""
    import keras
    from keras import layers

    crops = keras.Input((SIDE_PX, SIDE_PX, 3), name="crops")
    maps = layers.Conv2D(2, 1, activation="relu", name="dark")(crops)
    pooled = layers.MaxPooling2D(2, name="pool")(maps)
    features = layers.GlobalAveragePooling2D(name="features")(pooled)
    model = keras.Model(crops, {"logits": layers.Dense(len(names), name="logits")(features)}, name="nucleus")
    kernel = np.zeros((1, 1, 3, 2), np.float32)
    kernel[0, 0, 1] = (-0.01, 0.01)
    model.get_layer("dark").set_weights([kernel, np.array([1.1, -2.0], np.float32)])
    weights, bias = np.zeros((2, len(names)), np.float32), np.zeros(len(names), np.float32)
    weights[0, NUCLEUS], bias[NUCLEUS] = 40, -4
    model.get_layer("logits").set_weights([weights, bias])
    return model


def write_nucleus_model(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """Write a model folder of it, model.keras and all."""
    from bloodcell.training.fitting.export import export_onnx

    folder.mkdir(parents=True)
    model = network(names)
    model.save(folder / "model.keras")
    outputs = export_onnx(model, folder / "model.onnx", cell()[None])
    calibration = {"temperature": 1.0, "min_confidence": 0.7, "max_distance": 1e9}
    spec = {"class_names": list(names), **IO_SPEC, "outputs": list(outputs), "calibration": calibration}
    (folder / "spec.json").write_text(json.dumps(spec))
    FeatureStatistics(np.zeros((len(names), 2), np.float32), np.eye(2, dtype=np.float32)).save(
        folder / "feature_statistics.npz"
    )
    return folder


def nucleus_model(tmp_path_factory) -> Path:
    """The folder, written once a session; not to be changed."""
    if not _DONE:
        _DONE.append(write_nucleus_model(tmp_path_factory.mktemp("nucleus") / "nucleus"))
    return _DONE[0]


@cache
def image(seed: int = 7) -> np.ndarray:
    """A drawn lymphocyte, uint8 (120, 120, 3)."""
    drawn = draw_field(seed, 1, 120, 120, scale=0.45, stain="cream", class_names=["LYMPHOCYTE"], n_platelets=0)
    return drawn.rgb


def image_bytes(seed: int = 7) -> bytes:
    return encode_png(image(seed))


@cache
def cell(seed: int = 7) -> np.ndarray:
    """The crop of that cell as the network sees it."""
    from bloodcell.inference.framing import Framing
    from bloodcell.inference.pipeline import crop_model_input
    from bloodcell.model_store.io_spec import read_io_spec

    (box,) = find_white_cells(image(seed)).boxes
    return crop_model_input(Framing(read_io_spec(IO_SPEC, "nucleus")), image(seed), box)


def nucleus_of(crop: np.ndarray) -> np.ndarray:
    """Where the network's first channel is above 0: the nucleus, which the stain draws below 110 in green."""
    return crop[..., 1] < 110
