"""The SVM inside a network predicts as scikit-learn does, in Keras and in ONNX."""

import numpy as np
import onnxruntime
import pytest
from sklearn.svm import SVC

from bloodcell.core.errors import DatasetError, ModelError, SpecError
from bloodcell.inference.engine import Engine
from bloodcell.inference.ood import fit_feature_statistics
from bloodcell.model_store.io_spec import ModelIOSpec
from bloodcell.networks.builders.svm import add_svm
from bloodcell.networks.registry import get_builder
from bloodcell.training.fitting.export import export_onnx
from bloodcell.training.fitting.svm import extract_features, fit_svm, train_svm
from tests.inference.net import write_spec
from tests.networks.builders.tiny import drawn_crops, tiny_settings
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS


def plain_model(n_features):
    """A network whose features are its input's first channels: what scikit-learn is fitted on can be typed out."""
    import keras

    crops = keras.Input((1, n_features, 3), name="crops")
    return keras.Model(crops, keras.layers.Reshape((n_features,), name="features")(crops[:, :, :, 0]))


def as_crops(features):
    return np.repeat(features[:, None, :, None], 3, axis=3).astype(np.float32)


def drawn_features(n_classes, n=60, n_features=6, seed=0):
    """Points of classes that overlap, so that pairs disagree and votes tie."""
    rng = np.random.default_rng(seed)
    class_index = np.arange(n) % n_classes
    return rng.normal(0, 1.2, (n, n_features)) + rng.normal(0, 1, (n_classes, n_features))[class_index], class_index


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_scores_and_classes_are_those_of_scikit_learn(kernel, n_classes):
    import keras

    features, class_index = drawn_features(n_classes)
    svc, scaler = fit_svm(features, class_index, kernel)
    model = add_svm(plain_model(6), svc, scaler.mean_, scaler.scale_)
    asked = np.random.default_rng(9).normal(0, 2, (300, 6))
    logits = keras.ops.convert_to_numpy(model(as_crops(asked), training=False)["logits"])
    theirs = svc.decision_function(scaler.transform(asked))
    expected = np.stack([-theirs / 2, theirs / 2], axis=1) if n_classes == 2 else theirs
    assert np.abs(logits - expected).max() < 1e-4
    assert np.array_equal(logits.argmax(axis=1), svc.predict(scaler.transform(asked)))
    pairs_of = keras.Model(model.input, model.get_layer("pairs").output)
    pairs = keras.ops.convert_to_numpy(pairs_of(as_crops(asked)))
    svc.decision_function_shape = "ovo"
    svc.break_ties = False
    of_pairs = svc.decision_function(scaler.transform(asked)).reshape(len(asked), -1)
    assert np.abs(pairs - (-of_pairs if n_classes == 2 else of_pairs)).max() < 1e-4


def test_votes_that_tie_are_settled_as_scikit_learn_settles_them():
    """Three classes, each preferred to the next: where each has one vote, the larger margins decide."""
    features, class_index = drawn_features(3, n=90, n_features=2, seed=3)
    svc, scaler = fit_svm(features, class_index, "rbf", c=10.0)
    asked = np.random.default_rng(1).uniform(-6, 6, (4000, 2))
    svc.decision_function_shape = "ovo"
    svc.break_ties = False
    first, second, third = (svc.decision_function(scaler.transform(asked)) > 0).T  # 0 or 1, 0 or 2, 1 or 2
    ties = asked[(first & ~second & third) | (~first & second & ~third)]
    assert len(ties) >= 3
    svc.decision_function_shape, svc.break_ties = "ovr", True
    model = add_svm(plain_model(2), svc, scaler.mean_, scaler.scale_)
    logits = np.asarray(model(as_crops(ties), training=False)["logits"])
    assert np.array_equal(logits.argmax(axis=1), svc.predict(scaler.transform(ties)))


def test_a_taught_network_serves_through_the_engine(tmp_path):
    """From drawn cells to the model folder: ONNX alone, no scikit-learn and no pickle, gives SVC's scores."""
    settings = tiny_settings("resnet50_svm")
    crops, class_index = drawn_crops(18, settings.height_px, settings.width_px)
    base = get_builder("resnet50_svm")(settings)
    features = extract_features(base, [crops[:10], crops[10:]])
    svc, scaler = fit_svm(features, class_index)
    model = train_svm(base, [crops[:10], crops[10:]], class_index)
    outputs = export_onnx(model, tmp_path / "model.onnx", crops)
    fit_feature_statistics(features, class_index).save(tmp_path / "feature_statistics.npz")
    calibration = {"temperature": 1.0, "min_confidence": 0.5, "max_distance": 1e9}
    io_spec = ModelIOSpec(settings.height_px, settings.width_px, "cell", 1.2, outputs)
    write_spec(tmp_path, side_px=None, **io_spec.to_dict(), class_names=["A", "B", "C"], calibration=calibration)
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    logits = session.run(None, {"crops": crops.astype(np.float32)})[0]
    assert np.abs(logits - svc.decision_function(scaler.transform(features.astype(np.float64)))).max() < 1e-4
    scores = Engine(tmp_path).classify(crops)
    assert np.array_equal(scores.probs.argmax(axis=1), svc.predict(scaler.transform(features.astype(np.float64))))
    assert scores.in_distribution is None


def test_an_svm_before_it_is_taught_is_no_opinion():
    model = get_builder("resnet50_svm")(tiny_settings("resnet50_svm"))
    assert not np.any(model.get_layer("pairs").kernel.numpy())


def test_what_an_svm_cannot_learn_from():
    with pytest.raises(DatasetError, match=r"two classes or more, each with a cell\. Received classes: \[0, 2\]"):
        fit_svm(np.zeros((4, 2)), np.array([0, 2, 0, 2]))


def test_an_svm_has_no_head_for_strangers():
    with pytest.raises(SpecError, match=r"`ood_head` must be false with an SVM\. Received: True"):
        get_builder("resnet50_svm")(tiny_settings("resnet50_svm", ood_head=True))


@pytest.mark.parametrize("settings", [{"kernel": "poly"}, {"kernel": "rbf", "gamma": "scale"}])
def test_a_kernel_that_cannot_be_rebuilt(settings):
    features, class_index = drawn_features(3)
    with pytest.raises(ModelError, match=r"kernel must be one of \('linear', 'rbf'\), with a number as gamma"):
        add_svm(plain_model(6), SVC(**settings).fit(features, class_index), np.zeros(6), np.ones(6))


def test_classes_that_are_not_numbered():
    features, class_index = drawn_features(3)
    with pytest.raises(ModelError, match=r"SVM's classes must be 0 to 2\. Received: \[1, 2, 3\]"):
        add_svm(plain_model(6), SVC(kernel="linear").fit(features, class_index + 1), np.zeros(6), np.ones(6))
