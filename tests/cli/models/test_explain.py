"""``explain`` on the command line: of the shipped model and a drawn image, of a class, and what cannot be."""

import shutil

import pytest

from bloodcell.cli import main
from bloodcell.imaging.read import read_rgb
from bloodcell.synthetic.gallery import draw_sample_set
from tests.explain.nucleus_net import image_bytes, nucleus_model
from tests.inference.net import write_net
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))
    write_net(tmp_path / "ws" / "runs" / "pixel", pixel=(16, 16))
    (tmp_path / "cell.png").write_bytes(image_bytes())
    return tmp_path


@pytest.fixture
def nucleus(tmp_path, tmp_path_factory):
    shutil.copytree(nucleus_model(tmp_path_factory), tmp_path / "ws" / "runs" / "nucleus")
    return "nucleus"


def run(*args):
    return main.main(["explain", *map(str, args)])


@pytest.mark.keras
@pytest.mark.parametrize("method", ["occlusion", "gradcam", "layers"])
def test_the_shipped_model_and_a_drawn_picture(tmp_path, capsys, method):
    (name, data), *_ = draw_sample_set(1)
    (tmp_path / name).write_bytes(data)
    assert run("wbc4", tmp_path / name, "--method", method, "--out", tmp_path / "map.png") == 0
    sheet = read_rgb((tmp_path / "map.png").read_bytes())
    assert min(sheet.shape[:2]) > 300
    assert "not a medical reason" in capsys.readouterr().err


@pytest.mark.keras
def test_another_class_and_another_layer_give_another_picture(nucleus, tmp_path):
    images = set()
    for options in ((), ("--class", "other"), ("--layer", "pool")):
        method = ("--method", "gradcam")
        assert run(nucleus, tmp_path / "cell.png", *method, *options, "--out", tmp_path / "map.png") == 0
        images.add((tmp_path / "map.png").read_bytes())
    assert len(images) == 3


@pytest.mark.keras
@pytest.mark.parametrize("method", ["occlusion", "layers"])
def test_the_mean_over_a_class(nucleus, tmp_path, capsys, method):
    for label in ("train/NUCLEUS", "test/NUCLEUS", "train/OTHER", "test/OTHER"):
        (tmp_path / "set" / label).mkdir(parents=True)
        for seed in range(3):
            (tmp_path / "set" / label / f"{seed}.png").write_bytes(image_bytes(seed))
    of = ("--dataset", tmp_path / "set", "--mean-of", "nucleus", "--method", method, "--max-cells", 2)
    assert run(nucleus, *of, "--out", tmp_path / "map.png") == 0
    assert run(nucleus, *of, "--part", "test", "--out", tmp_path / "part.png") == 0
    assert run(nucleus, *of, "--part", "none", "--out", tmp_path / "none.png") == 1
    assert "set has no part 'none'. Its parts: test, train" in capsys.readouterr().err
    assert read_rgb((tmp_path / "part.png").read_bytes()).shape == read_rgb((tmp_path / "map.png").read_bytes()).shape


@pytest.mark.keras
@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nowhere", "cell.png"), "There is no model 'nowhere'"),
        (("pixel", "none.png"), "There is no file or folder"),
        (("pixel", "blank.png"), "blank.png: "),
        (("pixel", "broken.png"), "broken.png: "),
        (("pixel", "cell.png", "--class", "MONOCYTE"), "must be one of RED, GREEN, BLUE. Received: 'MONOCYTE'"),
        (("pixel", "cell.png", "--method", "gradcam"), "has no model.keras to look into. Use an occlusion map instead"),
        (("pixel", "cell.png", "--layer", "conv"), "--layer is for --method gradcam"),
        (("pixel",), "`explain` takes either an IMAGE, or --dataset and --mean-of"),
        (("pixel", "cell.png", "--mean-of", "RED"), "`explain` takes either an IMAGE"),
        (("pixel", "--mean-of", "RED"), "`explain` takes either an IMAGE"),
        (("pixel", "cell.png", "--method", "lime"), "invalid choice"),
    ],
)
def test_errors_are_one_line_and_write_nothing(tmp_path, capsys, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"text")
    (name, data) = draw_sample_set(3)[2]
    assert "no-white-cell" in name
    (tmp_path / "blank.png").write_bytes(data)
    try:
        code = run(*args, "--out", tmp_path / "map.png")
    except SystemExit as left:
        code = left.code
    assert code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert message in line
    assert not (tmp_path / "map.png").exists()


def test_an_output_that_cannot_be(tmp_path, capsys):
    assert run("pixel", tmp_path / "cell.png", "--out", tmp_path / "none" / "map.png") == 1
    assert "output folder" in capsys.readouterr().err
