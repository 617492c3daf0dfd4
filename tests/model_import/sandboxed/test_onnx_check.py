"""Networks from elsewhere: plain calculations pass, all else is refused with its reason."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bloodcell.core.errors import ModelError
from bloodcell.model_import.sandboxed.onnx_check import check_onnx
from tests.inference.net import write_net
from tests.inference.test_engine import SHIPPED


def value(name, shape=("N", 4)):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def saved(path, *nodes, initial=(), **more):
    graph = helper.make_graph(list(nodes), "net", [value("x")], [value("y")], list(initial))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("mine", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9, **more), path)
    return path


def test_plain_networks_pass(tmp_path):
    check_onnx(SHIPPED / "model.onnx")
    check_onnx(write_net(tmp_path / "pixel") / "model.onnx")


def test_other_operators(tmp_path):
    foreign = helper.make_node("Relu", ["x"], ["y"], domain="mine")
    with pytest.raises(ModelError, match=r"net\.onnx is refused: its operator mine\.Relu is not allowed"):
        check_onnx(saved(tmp_path / "net.onnx", foreign))
    with pytest.raises(ModelError, match="operator RandomNormalLike is not allowed"):
        check_onnx(saved(tmp_path / "net.onnx", helper.make_node("RandomNormalLike", ["x"], ["y"])))


def test_networks_inside_operators(tmp_path):
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["z"])], "branch", [], [value("z")])
    node = helper.make_node("Relu", ["x"], ["y"], body=branch)
    with pytest.raises(ModelError, match="operator Relu holds a network of its own"):
        check_onnx(saved(tmp_path / "net.onnx", node))


def test_functions(tmp_path):
    function = helper.make_function("mine", "F", ["a"], ["b"], [helper.make_node("Relu", ["a"], ["b"])], [])
    with pytest.raises(ModelError, match="it holds functions of its own"):
        check_onnx(
            saved(tmp_path / "net.onnx", helper.make_node("F", ["x"], ["y"], domain="mine"), functions=[function])
        )


@pytest.mark.parametrize("where", ["initializer", "constant"])
def test_numbers_in_another_file(tmp_path, where):
    tensor = numpy_helper.from_array(np.ones(4, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    add = helper.make_node("Add", ["x", "w"], ["y"])
    if where == "initializer":
        path = saved(tmp_path / "net.onnx", add, initial=[tensor])
    else:
        path = saved(tmp_path / "net.onnx", helper.make_node("Constant", [], ["w"], value=tensor), add)
    with pytest.raises(ModelError, match=r"net\.onnx is refused: it keeps numbers in another file"):
        check_onnx(path)


def test_damaged_files(tmp_path):
    whole = (SHIPPED / "model.onnx").read_bytes()
    for data in (whole[: len(whole) // 2], b"no network", b""):
        (tmp_path / "net.onnx").write_bytes(data)
        with pytest.raises(ModelError, match=r"net\.onnx is (damaged|refused)"):
            check_onnx(tmp_path / "net.onnx")
    with pytest.raises(ModelError, match=r"net\.onnx is damaged"):  # nothing gives what it takes
        check_onnx(saved(tmp_path / "net.onnx", helper.make_node("Add", ["x", "nothing"], ["y"])))
