import numpy as np
import onnx
import pytest

from bloodcell.core.errors import ModelError
from bloodcell.inference.engine import BATCH_SIZE, Engine
from bloodcell.inference.ood import FeatureStatistics
from bloodcell.inference.pipeline import analyse
from bloodcell.model_store.folder import ModelFolder
from bloodcell.model_store.io_spec import ModelIOSpec
from bloodcell.model_store.library import read_model
from bloodcell.synthetic.gallery import draw_sample_set
from tests.inference.net import NAMES, crops, write_net, write_spec
from tests.places import MODELS

SHIPPED = MODELS / "wbc4"


@pytest.fixture
def folder(tmp_path):
    return write_net(tmp_path / "pixel")


def test_describes_its_model(folder):
    engine = Engine(folder)
    assert engine.model_name == "pixel"
    assert engine.class_names == NAMES
    assert engine.model_sha256 == ModelFolder(folder).compute_sha256()
    assert engine.io_spec == ModelIOSpec(32, 32, "cell", 1.25, ("logits", "known", "features"))


def test_scores_by_hand(folder):
    scores = Engine(folder).classify(crops((204, 200, 200), (90, 96, 90)))
    # logits 102, 100, 100: e^2 / (e^2 + 2) = 0.7870; then 45, 48, 45: e^3 / (e^3 + 2) = 0.9094
    assert scores.probs[0] == pytest.approx([0.7870, 0.1065, 0.1065], abs=1e-4)
    assert scores.probs[1] == pytest.approx([0.0453, 0.9094, 0.0453], abs=1e-4)
    assert scores.in_distribution == pytest.approx([1.0, 1 / (1 + np.exp(10))], abs=1e-4)
    assert scores.distance == pytest.approx([2.04**2, 0.9**2], abs=1e-4)
    assert scores.probs.dtype == np.float32


def test_statuses(folder):
    """Sure and known; unsure; sure but not known (red below 100)."""
    scores = Engine(folder).classify(crops((210, 200, 200), (204, 200, 200), (90, 200, 90)))
    assert scores.status.tolist() == ["confident", "check", "unfamiliar"]


def test_a_cell_far_from_the_learned_ones_is_unfamiliar(tmp_path):
    engine = Engine(write_net(tmp_path / "near", max_distance=4.2))
    assert engine.classify(crops((204, 150, 150), (206, 150, 150))).status.tolist() == ["confident", "unfamiliar"]


def test_temperature_flattens(tmp_path):
    engine = Engine(write_net(tmp_path / "warm", temperature=2.0))
    assert engine.classify(crops((204, 200, 200))).probs[0, 0] == pytest.approx(np.e / (np.e + 2), abs=1e-4)


def test_order_of_the_class_names_is_kept(tmp_path):
    engine = Engine(write_net(tmp_path / "other", names=("Z", "A", "M")))
    assert engine.class_names == ("Z", "A", "M")
    winners = engine.classify(crops((220, 200, 200), (200, 220, 200), (200, 200, 220))).probs.argmax(axis=1)
    assert [engine.class_names[winner] for winner in winners] == ["Z", "A", "M"]


def test_more_crops_than_a_batch_keep_their_order(folder):
    reds = np.arange(2 * BATCH_SIZE + 3) % 20 + 190
    many = Engine(folder).classify(crops(*((red, 200, 200) for red in reds)))
    assert many.probs.shape == (len(reds), 3)
    assert many.probs.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert many.probs[:, 0] == pytest.approx(np.exp((reds - 200) / 2) / (np.exp((reds - 200) / 2) + 2), abs=1e-4)


def test_no_crops(folder):
    scores = Engine(folder).classify(np.empty((0, 32, 32, 3), np.uint8))
    assert scores.probs.shape == (0, 3)
    assert scores.in_distribution.shape == scores.distance.shape == scores.status.shape == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((1, 16, 32, 3), np.uint8),
        np.zeros((1, 32, 32), np.uint8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 32, 32, 3), np.float32),
    ],
)
def test_other_crops_are_refused(folder, wrong):
    with pytest.raises(ModelError, match=r"Crops must be uint8 of shape \(N, 32, 32, 3\)\. Received: \w+ \("):
        Engine(folder).classify(wrong)


@pytest.mark.parametrize("name", ["model.onnx", "spec.json", "feature_statistics.npz"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"model folder pixel lacks .*{name}"):
        Engine(folder)


def test_a_damaged_network(folder):
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"model\.onnx of the model pixel is missing or damaged"):
        Engine(folder)


@pytest.mark.parametrize("data", [b"", b"no numbers", b"PK\x03\x04 half a zip"])
def test_damaged_feature_statistics(folder, data):
    (folder / "feature_statistics.npz").write_bytes(data)
    with pytest.raises(ModelError, match=r"pixel lacks a usable feature_statistics\.npz"):
        Engine(folder)


def test_wrong_number_of_classes(tmp_path):
    folder = write_net(tmp_path / "two", n_outputs=2)
    with pytest.raises(ModelError, match=r"network of two has 2 classes, but spec\.json names 3"):
        Engine(folder)


@pytest.mark.parametrize("calibration", [None, {}])
def test_a_model_without_thresholds(folder, calibration):
    write_spec(folder, calibration=calibration)
    with pytest.raises(ModelError, match="pixel has no calibration: it was trained without a validation fold"):
        Engine(folder)


def test_a_model_with_half_its_thresholds(folder):
    write_spec(folder, calibration={"temperature": 1.0, "min_confidence": 0.9})
    with pytest.raises(ModelError, match="calibration of the model pixel lacks max_distance, min_known"):
        Engine(folder)


def test_a_network_that_does_not_know_strangers(tmp_path):
    """Red below 100 would be unknown to the other: here probability and distance, (red / 100) ** 2, decide alone."""
    engine = Engine(write_net(tmp_path / "two", has_known=False, max_distance=4.2))
    scores = engine.classify(crops((90, 200, 90), (204, 200, 200), (206, 150, 150)))
    assert scores.in_distribution is None
    assert engine.thresholds.min_known is None
    assert scores.status.tolist() == ["confident", "check", "unfamiliar"]
    assert scores.distance == pytest.approx([0.81, 2.04**2, 2.06**2], abs=1e-4)


@pytest.fixture
def without_thresholds(tmp_path):
    """A network with logits alone, as an imported one."""
    folder = write_net(tmp_path / "foreign")
    network = onnx.load(folder / "model.onnx")
    del network.graph.output[1:]
    onnx.save(network, folder / "model.onnx")
    write_spec(folder, outputs=["logits"], calibration=None)
    (folder / "feature_statistics.npz").unlink()
    return folder


def test_nothing_speaks_for_a_cell_of_a_model_without_thresholds(without_thresholds):
    """As sure as can be, and still to be checked; its probabilities are the network's own."""
    scores = Engine(without_thresholds).classify(crops((250, 0, 0), (204, 200, 200)))
    assert scores.status.tolist() == ["check", "check"]
    assert scores.probs[1] == pytest.approx([0.7870, 0.1065, 0.1065], abs=1e-4)
    assert (scores.in_distribution, scores.distance, Engine(without_thresholds).thresholds) == (None, None, None)
    assert not read_model(without_thresholds).io_spec.has_thresholds


def test_thresholds_without_an_output_to_compare(without_thresholds):
    write_spec(without_thresholds, calibration={"temperature": 1.0, "min_confidence": 0.1, "max_distance": 1})
    with pytest.raises(ModelError, match="foreign has thresholds, but its network has no output"):
        Engine(without_thresholds)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"temperature": "warm"}, "must be numbers"),
        ({"temperature": 0}, "must be finite, and its temperature above 0"),
        ({"max_distance": float("nan")}, "must be finite"),
    ],
)
def test_a_calibration_that_makes_no_sense(tmp_path, change, match):
    with pytest.raises(ModelError, match=f"calibration of the model odd {match}"):
        Engine(write_net(tmp_path / "odd", **change))
    write_spec(tmp_path / "odd", calibration=[1])
    with pytest.raises(ModelError, match="calibration of the model odd must be numbers by name"):
        Engine(tmp_path / "odd")


def test_feature_statistics_of_another_network(folder):
    FeatureStatistics(np.zeros((3, 2), np.float32), np.eye(2, dtype=np.float32)).save(folder / "feature_statistics.npz")
    with pytest.raises(ModelError, match=r"network of pixel gives 1 features, but its feature statistics hold 2"):
        Engine(folder)
    FeatureStatistics(np.zeros((3, 2), np.float32), np.eye(3, dtype=np.float32)).save(folder / "feature_statistics.npz")
    with pytest.raises(ModelError, match=r"the means and the whitening in feature_statistics\.npz do not fit"):
        Engine(folder)


def test_crops_that_are_not_square(tmp_path):
    engine = Engine(write_net(tmp_path / "wide", size=(24, 40)))
    assert (engine.io_spec.height_px, engine.io_spec.width_px) == (24, 40)
    assert engine.classify(crops((220, 200, 200), size=(24, 40))).probs.argmax() == 0
    with pytest.raises(ModelError, match=r"shape \(N, 24, 40, 3\)\. Received: uint8 \(1, 40, 24, 3\)"):
        engine.classify(crops((220, 200, 200), size=(40, 24)))


def test_outputs_that_are_not_those_named(folder):
    write_spec(folder, outputs=["logits", "features"])
    with pytest.raises(
        ModelError, match=r"network of pixel has 3 outputs, but spec\.json names \('logits', 'features'\)"
    ):
        Engine(folder)


def test_the_shipped_model_answers_as_it_did():
    """Of drawn cells, as the version before networks without "known" answered them."""
    engine = Engine(SHIPPED)
    (result,) = analyse(engine, [draw_sample_set(n=1, seed=3)[0][1]])
    (cell,) = result.cells
    assert (cell.class_name, cell.status) == ("LYMPHOCYTE", "confident")
    assert cell.probs == pytest.approx([0.0011, 0.9947, 0.0034, 0.0008], abs=1e-3)
