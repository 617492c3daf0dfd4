"""The base of all specs, by a few small ones: each type that a field may have, and each way to be refused."""

import json
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bloodcell.core.errors import SpecError
from bloodcell.core.spec import Spec, parse_json_object, require, require_range, require_unique


@dataclass(frozen=True)
class Lens(Spec):
    """A nested spec."""

    NOUN: ClassVar[str] = "lens"
    zoom: float
    coated: bool = False


@dataclass(frozen=True)
class Stain(Spec):
    """Another one, for unions."""

    dye: str
    minutes: int = 3


@dataclass(frozen=True)
class Slide(Spec):
    """A field of every type."""

    NOUN: ClassVar[str] = "slide"
    name: str
    count: int = 1
    share: float = 0.5
    is_wet: bool = False
    order: Literal["rows", "columns", 0] = "rows"
    lens: Lens = field(default_factory=lambda: Lens(10))
    lenses: tuple[Lens, ...] = ()
    pair: tuple[int, float] = (1, 0.5)
    limits: tuple[tuple[str, int], ...] = ()
    part: Lens | Stain | None = None
    title: str | None = None
    size: int | tuple[int, ...] = 0
    anything: Any = None

    @classmethod
    def upgrade(cls, values):
        """`number` is what 0.1 called `count`."""
        return {("count" if name == "number" else name): value for name, value in values.items()}

    def __post_init__(self):
        super().__post_init__()
        require_range(self, 0, 1, "share")
        require_range(self, 1, float("inf"), "count")
        require_unique("Names of `limits`", tuple(name for name, _ in self.limits))


FULL = Slide(
    "a",
    count=2,
    share=1,
    is_wet=True,
    order=0,
    lens=Lens(40.5, coated=True),
    lenses=(Lens(1), Lens(2)),
    pair=(3, 0.25),
    limits=(("x", 1), ("y", 2)),
    part=Stain("blue"),
    title="T",
    size=(1, 2),
    anything=("a", (1, 2)),
)


@pytest.mark.parametrize("spec", [Slide("a"), FULL], ids=["defaults", "all set"])
def test_a_spec_survives_json(spec):
    assert Slide.from_json(spec.to_json()) == spec
    assert Slide.from_dict(spec.to_dict()) == spec
    assert json.loads(spec.to_json()) == spec.to_dict()


def test_a_spec_survives_a_file(tmp_path):
    path = tmp_path / "slide.json"
    FULL.write(path)
    assert Slide.read(path) == FULL
    assert list(tmp_path.iterdir()) == [path]  # no temporary file


def test_as_json_has_it():
    assert Slide("a", lenses=(Lens(1),), limits=(("x", 1),)).to_dict() == {
        "name": "a",
        "count": 1,
        "share": 0.5,
        "is_wet": False,
        "order": "rows",
        "lens": {"zoom": 10, "coated": False},
        "lenses": [{"zoom": 1, "coated": False}],
        "pair": [1, 0.5],
        "limits": [["x", 1]],
        "part": None,
        "title": None,
        "size": 0,
        "anything": None,
    }


def test_lists_become_tuples_and_objects_become_specs():
    spec = Slide("a", lenses=[{"zoom": 2}], pair=[1, 2], limits=[["x", 1]], anything=[1, [2]])
    assert spec.lenses == (Lens(2),)
    assert (spec.pair, spec.limits, spec.anything) == ((1, 2), (("x", 1),), (1, (2,)))
    assert hash(spec) == hash(Slide.from_json(spec.to_json()))


def test_an_object_of_a_union_is_the_spec_that_shares_its_settings():
    assert Slide("a", part={"zoom": 2}).part == Lens(2)
    assert Slide("a", part={"dye": "blue", "minutes": 5}).part == Stain("blue", 5)
    with pytest.raises(SpecError, match="Unknown settings \\['colour'\\] in a spec"):
        Slide("a", part={"dye": "blue", "colour": "red"})


def test_a_union_of_plain_types_takes_either():
    assert Slide("a", size=4).size == 4
    assert Slide("a", size=[4, 5]).size == (4, 5)


def test_numbers_of_numpy_become_those_of_python():
    spec = Slide("a", count=np.int64(3), pair=(np.int32(1), 0.5))
    assert (type(spec.count), type(spec.pair[0])) == (int, int)
    assert json.loads(spec.to_json())["count"] == 3


def test_a_whole_number_stays_one_where_a_float_is_allowed():
    assert Slide.from_json('{"name": "a", "share": 1}').to_dict()["share"] == 1
    assert isinstance(Slide("a", share=1).share, int)


@given(st.floats(0, 1), st.integers(1), st.text(max_size=9))
def test_any_plain_value_comes_back(share, count, name):
    spec = Slide(name, count=count, share=share)
    assert Slide.from_json(spec.to_json()) == spec


def test_an_older_name_is_read():
    assert Slide.from_json('{"name": "a", "number": 7}') == Slide("a", count=7)


def test_it_is_frozen():
    with pytest.raises(FrozenInstanceError):
        FULL.count = 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": 1}, r"`name` must be text\. Received: 1\."),
        ({"name": None}, r"`name` must be text\. Received: None\."),
        ({"count": 1.0}, r"`count` must be a whole number\. Received: 1\.0\."),
        ({"count": True}, r"`count` must be a whole number\. Received: True\."),
        ({"share": "0.5"}, r"`share` must be a number\. Received: '0\.5'\."),
        ({"share": False}, r"`share` must be a number\. Received: False\."),
        ({"is_wet": 1}, r"`is_wet` must be true or false\. Received: 1\."),
        ({"order": "diagonal"}, r"`order` must be one of \('rows', 'columns', 0\)\. Received: 'diagonal'\."),
        ({"order": False}, r"`order` must be one of \('rows', 'columns', 0\)\. Received: False\."),
        ({"lens": 3}, r"`lens` must be an object with settings\. Received: 3\."),
        (
            {"lens": {"zoom": 1, "colour": 2}},
            r"Unknown settings \['colour'\] in a lens\. Known: \['zoom', 'coated'\]\.",
        ),
        ({"lens": {}}, r"This lens lacks the settings \['zoom'\]\."),
        ({"lenses": {"zoom": 1}}, r"`lenses` must be a list\. Received: \{'zoom': 1\}\."),
        ({"lenses": [1]}, r"An entry of `lenses` must be an object with settings\. Received: 1\."),
        ({"pair": [1]}, r"`pair` must be a list of 2\. Received: \[1\]\."),
        ({"pair": [1, "b"]}, r"An entry of `pair` must be a number\. Received: 'b'\."),
        ({"limits": [["x"]]}, r"An entry of `limits` must be a list of 2\. Received: \['x'\]\."),
        ({"title": 1}, r"`title` must be text\. Received: 1\."),
        ({"part": 1}, r"`part` must be an object with settings\. Received: 1\."),
        ({"size": "big"}, r"`size` must be a list\. Received: 'big'\."),
        ({"share": 1.5}, r"`share` must be from 0 to 1\. Received: 1\.5\."),
        ({"share": float("nan")}, r"`share` must be from 0 to 1\. Received: nan\."),
        ({"count": 0}, r"`count` must be 1 or more\. Received: 0\."),
        ({"limits": [["x", 1], ["x", 2]]}, r"Names of `limits` occur twice\. Received: \('x', 'x'\)\."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(values, message):
    with pytest.raises(SpecError, match=f"^{message}$"):
        Slide.from_dict({"name": "a"} | values)


def test_unknown_and_missing_settings_are_named():
    with pytest.raises(SpecError, match=r"^Unknown settings \['b', 'c'\] in a slide\. Known: \['name', 'count', "):
        Slide.from_dict({"name": "a", "c": 1, "b": 2})
    with pytest.raises(SpecError, match=r"^This slide lacks the settings \['name'\]\.$"):
        Slide.from_dict({})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"The settings are not valid JSON: .*"),
        ("[" * 100_000, r"The settings are not valid JSON: .*"),
        ("[]", r"The settings must be one JSON object\."),
        ("3", r"The settings must be one JSON object\."),
    ],
)
def test_text_that_is_no_json_object(text, message):
    with pytest.raises(SpecError, match=f"^{message}$"):
        parse_json_object(text)
    with pytest.raises(SpecError, match=f"^{message}$"):
        Slide.from_json(text)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(SpecError, match=r"^The slide .*gone\.json cannot be read: No such file or directory\.$"):
        Slide.read(tmp_path / "gone.json")
    (tmp_path / "latin.json").write_bytes(b'{"name": "\xe9"}')
    with pytest.raises(SpecError, match=r"^The slide .*latin\.json cannot be read: it is not text in UTF-8\.$"):
        Slide.read(tmp_path / "latin.json")


def test_require():
    assert require(True, "never said") is None
    with pytest.raises(SpecError, match=r"^Said as it is\.$"):
        require(False, "Said as it is.")
