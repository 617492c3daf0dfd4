"""Checkpoints of PyTorch before 1.6, written here by hand, give their arrays; nothing in them is run."""

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from unittest.mock import patch

import numpy as np
import pytest

from bloodcell.core.errors import ModelError
from bloodcell.networks.builders import torch_file
from bloodcell.networks.builders.torch_file import read_torch_arrays

MAGIC_NUMBER, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
# `os.system("touch ran")` as the first thing that loading does.
RUNS_A_COMMAND = b"cos\nsystem\n(S'touch ran'\ntR."


def make_torch_names():
    """What the names of PyTorch in a pickle lead to while one is written; reading must not need them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "HalfStorage", "LongStorage", "BFloat16Storage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    utils._rebuild_tensor_v2 = types.FunctionType((lambda: None).__code__, {"__name__": "torch._utils"})
    utils._rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    return {"torch": torch, "torch._utils": utils}


TORCH = make_torch_names()


class Storage:
    def __init__(self, key, values, kind="FloatStorage", view=None):
        self.key, self.values, self.kind, self.view = key, np.asarray(values), kind, view


class Tensor:
    """Part of a storage; offset and strides in numbers."""

    def __init__(self, storage, shape, strides, offset=0):
        self.parts = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return TORCH["torch._utils"]._rebuild_tensor_v2, self.parts


class StoragePickler(pickle.Pickler):
    def persistent_id(self, item):
        if not isinstance(item, Storage):
            return None
        return ("storage", getattr(TORCH["torch"], item.kind), item.key, "cpu", len(item.values), item.view)


def dump(item):
    stream = io.BytesIO()
    with patch.dict(sys.modules, TORCH):
        StoragePickler(stream, protocol=2).dump(item)
    return stream.getvalue()


def make_parts(tensors, *storages):
    """The five pickles, then the length and numbers of each storage."""
    sizes = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    heads = [dump(item) for item in (MAGIC_NUMBER, PROTOCOL, sizes, tensors, [one.key for one in storages])]
    return heads + [struct.pack("<q", len(one.values)) + one.values.tobytes() for one in storages]


SIX = Storage("6", np.arange(6, dtype="<f4"))
PLAIN = make_parts(OrderedDict(a=Tensor(SIX, (2, 3), (3, 1))), SIX)


@pytest.fixture
def read(tmp_path):
    def write_and_read(*parts):
        path = tmp_path / "net.pth"
        path.write_bytes(b"".join(parts))
        return read_torch_arrays(path)

    return write_and_read


def test_an_array_of_two_rows(read):
    arrays = read(*PLAIN)
    assert list(arrays) == ["a"]
    assert arrays["a"].dtype == np.float32
    assert arrays["a"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_each_type_and_a_single_number(read):
    half, long = (
        Storage("h", np.array([0.5, -2], "<f2"), "HalfStorage"),
        Storage("l", np.array([7], "<i8"), "LongStorage"),
    )
    arrays = read(*make_parts(OrderedDict(half=Tensor(half, (2,), (1,)), count=Tensor(long, (), ())), half, long))
    assert (arrays["half"].dtype, arrays["half"].tolist()) == (np.float16, [0.5, -2])
    assert (arrays["count"].dtype, arrays["count"].shape, arrays["count"].item()) == (np.int64, (), 7)


def test_rows_may_lie_one_number_apart(read):
    """The numbers 0 to 5 as columns: a transposed matrix shares the storage of the first."""
    arrays = read(*make_parts(OrderedDict(a=Tensor(SIX, (3, 2), (1, 3)), b=Tensor(SIX, (2, 3), (3, 1))), SIX))
    assert arrays["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert (arrays["a"] == arrays["b"].T).all()
    assert arrays["a"].flags.c_contiguous


def test_a_tensor_may_be_a_part_of_its_storage(read):
    arrays = read(*make_parts(OrderedDict(a=Tensor(SIX, (2,), (2,), offset=1), b=Tensor(SIX, (1, 1), (9, 9), 5)), SIX))
    assert (arrays["a"].tolist(), arrays["b"].tolist()) == ([1, 3], [[5]])


def test_arrays_are_copies_that_may_be_written(read):
    arrays = read(*make_parts(OrderedDict(a=Tensor(SIX, (6,), (1,)), b=Tensor(SIX, (6,), (1,))), SIX))
    arrays["a"][:] = 9
    assert arrays["b"].tolist() == [0, 1, 2, 3, 4, 5]


def test_what_is_no_tensor_is_left_out(read):
    state = OrderedDict(a=Tensor(SIX, (6,), (1,)), epoch=3, name="net")
    state._metadata = OrderedDict({"": {"version": 1}})  # PyTorch's own
    assert list(read(*make_parts(state, SIX))) == ["a"]


def test_no_tensors_are_no_arrays(read):
    assert read(*make_parts(OrderedDict())) == {}


@pytest.mark.parametrize("place", range(5))
def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(read, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match=r"net\.pth are damaged: it names os\.system, which is no array"):
        read(*PLAIN[:place], RUNS_A_COMMAND, *PLAIN[place + 1 :])
    assert not (tmp_path / "ran").exists()
    pickle.loads(RUNS_A_COMMAND)  # noqa: S301 elsewhere it does run
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "name",
    ["builtins\neval", "builtins\ngetattr", "torch\nload", "collections\nCounter", "bloodcell.core.io\nwrite_json"],
)
def test_whatever_else_a_file_names_is_refused(read, name):
    with pytest.raises(ModelError, match=rf"it names {name.replace(chr(10), '.')}, which is no array"):
        read(*PLAIN[:3], f"c{name}\n.".encode(), *PLAIN[4:])


def test_a_storage_of_another_type_or_kind_is_refused(read):
    brain = Storage("b", SIX.values, "BFloat16Storage")
    with pytest.raises(ModelError, match=r"it names torch\.BFloat16Storage, which is no array"):
        read(*make_parts(OrderedDict(a=Tensor(brain, (6,), (1,))), brain))
    viewed = Storage("v", SIX.values, view=("w", 0, 3))
    with pytest.raises(ModelError, match="it has a storage of an unknown kind"):
        read(*make_parts(OrderedDict(a=Tensor(viewed, (6,), (1,))), viewed))


def test_a_file_cut_anywhere_is_refused(read):
    whole = b"".join(PLAIN)
    for n_bytes in range(len(whole)):
        with pytest.raises(ModelError, match=r"The weights net\.pth are damaged"):
            read(whole[:n_bytes])


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [
        ((7,), (1,), 0),  # the seventh of six
        ((6,), (1,), 1),
        ((2, 3), (4, 1), 0),  # 1 * 4 + 2 * 1 = 6
        ((), (), 6),
        ((2,), (-1,), 3),
        ((-2,), (1,), 0),
        ((2,), (1,), -1),
        ((2**40,), (0,), 0),  # four terabytes of the same number
        ((2**70,), (0,), 0),
    ],
)
def test_a_tensor_that_reaches_beyond_its_storage(read, shape, strides, offset):
    with pytest.raises(ModelError, match="a tensor reaches beyond its storage"):
        read(*make_parts(OrderedDict(a=Tensor(SIX, shape, strides, offset)), SIX))


def test_a_shape_and_strides_of_different_lengths(read):
    with pytest.raises(ModelError, match="damaged: zip"):
        read(*make_parts(OrderedDict(a=Tensor(SIX, (2, 3), (1,))), SIX))


def test_a_storage_of_another_length_than_its_tensor_says(read):
    parts = [*PLAIN[:-1], struct.pack("<q", 5) + SIX.values[:5].tobytes()]
    with pytest.raises(ModelError, match="a storage has another length than its tensor"):
        read(*parts)


def test_a_storage_that_no_tensor_uses(read):
    with pytest.raises(ModelError, match="damaged: '6'"):
        read(*make_parts(OrderedDict(), SIX))


@pytest.mark.parametrize(
    "heads",
    [
        [dump(MAGIC_NUMBER + 1), dump(PROTOCOL)],
        [dump(MAGIC_NUMBER), dump(1002)],
        [dump("a text"), dump("another")],
    ],
)
def test_other_pickles_are_no_checkpoint(read, heads):
    with pytest.raises(ModelError, match=r"The weights net\.pth are no checkpoint of PyTorch before 1\.6"):
        read(*heads, *PLAIN[2:])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04\x00\x00\x08\x08\nmore",  # a zip, as PyTorch writes since 1.6
        b"\x89HDF\r\n\x1a\n",
        b"weights\n",
        b"\x8d" + 8 * b"\xff",  # a text of 18 exabytes
        b"h\x07.",  # the seventh of no remembered items
    ],
)
def test_other_files_are_damaged(read, data):
    with pytest.raises(ModelError, match=r"The weights net\.pth are damaged"):
        read(data)


def test_a_file_that_is_too_large(read, monkeypatch):
    monkeypatch.setattr(torch_file, "MAX_BYTES", 100)
    with pytest.raises(ModelError, match=r"The weights net\.pth are larger than 0 MB"):
        read(*PLAIN)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"none\.pth cannot be read: No such file or directory"):
        read_torch_arrays(tmp_path / "none.pth")
    with pytest.raises(ModelError, match=r"cannot be read: Is a directory"):
        read_torch_arrays(tmp_path)
