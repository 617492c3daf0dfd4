"""A real model folder in a few bytes: a network that judges a crop by its mean colour, for tests of the pages."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bloodcell.inference.ood import FeatureStatistics

CLASS_NAMES = ("EOSINOPHIL", "LYMPHOCYTE", "MONOCYTE", "NEUTROPHIL")
SIDE_PX = 32
# One row a channel (red, green, blue), one column a class; chosen so that drawn cells get several classes.
WEIGHTS = np.array([[0.3, -0.3, 0.1, 0.0], [-0.2, 0.3, -0.2, 0.1], [0.0, 0.1, 0.2, -0.1]], np.float32)
MEAN_COLOUR = np.array([185, 160, 190], np.float32)


def write_tiny_model(folder: Path) -> Path:
    """Write all files of a model into `folder` and return it."""
    folder.mkdir(parents=True)
    initial = {
        "minus_mean": -MEAN_COLOUR,
        "weights": WEIGHTS,
        "known_weights": np.full((3, 1), 0.1, np.float32),
        "known_bias": np.array([3.0], np.float32),
        "axes": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("ReduceMean", ["crops", "axes"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "minus_mean"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["logits"]),
        helper.make_node("MatMul", ["centred", "known_weights"], ["known_raw"]),
        helper.make_node("Add", ["known_raw", "known_bias"], ["known"]),
        helper.make_node("Identity", ["centred"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["N", SIDE_PX, SIDE_PX, 3])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(CLASS_NAMES)]),
            helper.make_tensor_value_info("known", TensorProto.FLOAT, ["N", 1]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in initial.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    # Nothing is far away: only `known` makes a cell unfamiliar.
    FeatureStatistics(np.zeros((len(CLASS_NAMES), 3), np.float32), np.eye(3, dtype=np.float32)).save(
        folder / "feature_statistics.npz"
    )
    spec = {
        "title": "Tiny test model",
        "class_names": list(CLASS_NAMES),
        "side_px": SIDE_PX,
        "context": 1.2,
        "calibration": {"temperature": 1.0, "min_confidence": 0.9, "min_known": 0.5, "max_distance": 1e9},
    }
    metrics = {"validation": {"per_source": {"drawn": {"images": 80, "accuracy": 0.9, "held_back": 0.125}}}}
    (folder / "spec.json").write_text(json.dumps(spec))
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "README.md").write_text("# Tiny test model\n\nIt looks at mean colours only.\n")
    return folder
