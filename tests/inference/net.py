"""Model folders whose network a reader can do by hand: the colour of one pixel, halved, is the logits."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bloodcell.inference.ood import FeatureStatistics

SIDE_PX = 32
NAMES = ("RED", "GREEN", "BLUE")


def write_net(
    folder: Path,
    names=NAMES,
    n_outputs=3,
    pixel=(0, 0),
    max_distance=100.0,
    size=(SIDE_PX, SIDE_PX),
    has_known=True,
    **calibration,
) -> Path:
    """Write a model whose logits are level / 2 of the channels at `pixel`; known is sigmoid(red level - 100).

    Its one feature is the red level over 100, its only known mean 0: the distance is (red / 100) ** 2. Without
    `has_known` it has no output known and no threshold for it, and says so.
    """
    folder.mkdir(parents=True)
    row, col = pixel
    nodes = [
        helper.make_node("Slice", ["crops", "from", "to", "axes"], ["square"]),
        helper.make_node("Reshape", ["square", "shape"], ["colour"]),
        helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
        helper.make_node("MatMul", ["colour", "red"], ["red_level"]),
        helper.make_node("Add", ["red_level", "minus_100"], ["known"]),
        helper.make_node("MatMul", ["colour", "red_100th"], ["features"]),
    ]
    values = {
        "from": np.array([row, col], np.int64),
        "to": np.array([row + 1, col + 1], np.int64),
        "axes": np.array([1, 2], np.int64),
        "shape": np.array([-1, 3], np.int64),
        "weights": np.eye(3, n_outputs, dtype=np.float32) / 2,
        "red": np.array([[1], [0], [0]], np.float32),
        "minus_100": np.array([-100], np.float32),
        "red_100th": np.array([[0.01], [0], [0]], np.float32),
    }
    widths = {"logits": n_outputs, "known": 1, "features": 1}
    if not has_known:
        del widths["known"]
    graph = helper.make_graph(
        nodes,
        "pixel",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", *size, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", width]) for name, width in widths.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), folder / "model.onnx"
    )
    settings = {"temperature": 1.0, "min_confidence": 0.9, "min_known": 0.5, "max_distance": max_distance}
    if not has_known:
        del settings["min_known"]
        write_spec(folder, outputs=["logits", "features"])
    if size != (SIDE_PX, SIDE_PX):
        write_spec(folder, side_px=None, height_px=size[0], width_px=size[1])
    write_spec(folder, class_names=list(names), calibration=settings | calibration)
    FeatureStatistics(np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)).save(folder / "feature_statistics.npz")
    return folder


def write_spec(folder: Path, **changes) -> None:
    """Write spec.json, or change some of what stands in it; None takes a key out."""
    path = folder / "spec.json"
    before = json.loads(path.read_text()) if path.exists() else {"title": "Pixel", "side_px": SIDE_PX, "context": 1.25}
    after = {key: value for key, value in (before | changes).items() if value is not None}
    path.write_text(json.dumps(after))


def crops(*colours, size=(SIDE_PX, SIDE_PX)) -> np.ndarray:
    """One crop of each colour."""
    return np.stack([np.full((*size, 3), colour, np.uint8) for colour in colours])
