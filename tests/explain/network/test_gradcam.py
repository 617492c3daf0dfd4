"""Grad-CAM by hand on a network of fixed weights, on the shipped model, and what layers put out."""

import numpy as np
import pytest

from bloodcell.core.errors import ExplainError, ModelError
from bloodcell.explain.explain_cells import explain_crops
from bloodcell.explain.explanation import GRADCAM, LAYERS, METHODS, OCCLUSION
from bloodcell.explain.spec import find_cam_layer
from bloodcell.inference.engine import Engine
from bloodcell.networks.registry import BY_STEPS, NETWORKS, build_default_settings, get_builder
from tests.explain.nucleus_net import NAMES, NUCLEUS, SIDE_PX, cell, network, nucleus_model, nucleus_of
from tests.inference.net import write_net, write_spec
from tests.places import MODELS
from tests.training.tiny_run import FOREIGN_WARNINGS

pytestmark = FOREIGN_WARNINGS
SHIPPED = MODELS / "wbc4"


@pytest.fixture(scope="module")
def net():
    return network()


@pytest.fixture(scope="module")
def shipped():
    from bloodcell.networks.builders.keras_file import load_network

    return load_network(SHIPPED)


def shuffled(model, seed):
    """The network with the numbers of every layer drawn anew, as spread as they were."""
    import keras

    other, rng = keras.models.clone_model(model), np.random.default_rng(seed)
    for layer, before in zip(other.layers, model.layers, strict=True):
        drawn = [rng.normal(0, one.std() + 0.05, one.shape) for one in before.get_weights()]
        layer.set_weights([np.abs(one) if one.ndim == 1 else one for one in drawn])  # variances are above 0
    return other


def test_by_hand(net):
    """The score is 40 means of channel 0: its gradient is alike at all maxima of the pool, 0 for channel 1."""
    from bloodcell.explain.network.gradcam import grad_cam

    cams = grad_cam(net, cell()[None], "pool")
    assert (cams.dtype, cams.shape) == (np.float32, (1, len(NAMES), SIDE_PX, SIDE_PX))
    darkness = np.clip(1.1 - 0.01 * cell()[..., 1].astype(np.float32), 0, None)
    pooled = darkness.reshape(SIDE_PX // 2, 2, SIDE_PX // 2, 2).max(axis=(1, 3))
    at_middles = cams[0, NUCLEUS].reshape(SIDE_PX // 2, 2, SIDE_PX // 2, 2).mean(axis=(1, 3))
    assert np.corrcoef(at_middles.ravel(), pooled.ravel())[0, 1] > 0.97
    assert (cams.min(), cams[0, NUCLEUS].max()) == (0, 1)
    assert (cams[0, 1 - NUCLEUS] == 0).all()  # nothing speaks for a class whose logit is always 0


def test_a_nucleus_that_decides_is_where_the_map_is(net):
    from bloodcell.explain.network.gradcam import find_last_map_layer, grad_cam

    assert find_last_map_layer(net) == "dark"  # the pool after it is passed over
    cam = grad_cam(net, cell()[None])[0, NUCLEUS]
    inside = nucleus_of(cell())
    assert cam[inside].mean() > 20 * cam[~inside].mean()
    assert inside[np.unravel_index(cam.argmax(), cam.shape)]


def test_other_weights_give_another_map(shipped):
    """As Adebayo et al. (2018) ask: a map that stayed the same would tell of the image, not of the network."""
    from bloodcell.explain.network.gradcam import grad_cam
    from bloodcell.inference.pipeline import crop_model_input
    from bloodcell.synthetic.gallery import draw_field

    drawn = draw_field(3, 1, 240, 320, class_names=["NEUTROPHIL"])
    engine = Engine(SHIPPED)
    crop = crop_model_input(engine.framing, drawn.rgb, drawn.boxes[0])
    chosen = int(engine.classify(crop[None]).probs.argmax())
    cam = grad_cam(shipped, crop[None], "stage2_out")[0, chosen]
    assert cam.max() == 1
    alike = []
    for seed in range(3):
        other = grad_cam(shuffled(shipped, seed), crop[None], "stage2_out")[0, chosen]
        alike.append(0.0 if other.std() == 0 else np.corrcoef(cam.ravel(), other.ravel())[0, 1])
    assert np.mean(np.abs(alike)) < 0.6
    np.testing.assert_array_equal(cam, grad_cam(shipped, crop[None], "stage2_out")[0, chosen])


def test_crops_are_explained_each_by_itself(net):
    from bloodcell.explain.network.gradcam import BATCH_SIZE, grad_cam

    crops = np.stack([cell(7 + at % 2) for at in range(BATCH_SIZE + 2)])
    cams = grad_cam(net, crops)
    assert cams.shape[0] == BATCH_SIZE + 2
    np.testing.assert_allclose(cams[BATCH_SIZE + 1], grad_cam(net, cell(8)[None])[0], atol=1e-5)


def test_a_layer_that_is_not_there(net):
    from bloodcell.explain.network.gradcam import grad_cam

    with pytest.raises(ExplainError, match=r"`layer` must be one of dark, pool\. Received: 'features'"):
        grad_cam(net, cell()[None], "features")


def test_networks_that_cannot_be_looked_into():
    import keras
    from keras import layers

    from bloodcell.explain.network.gradcam import find_last_map_layer, grad_cam
    from bloodcell.explain.network.layer_outputs import compute_layer_maps

    crops = keras.Input((4, 4, 3))
    flat = keras.Model(crops, {"logits": layers.Dense(2)(layers.Flatten()(crops))})
    with pytest.raises(ExplainError, match=r"makes no maps that Grad-CAM could use\. Use an occlusion map instead"):
        find_last_map_layer(flat)
    with pytest.raises(ExplainError, match=r"no convolution or pooling layer to show\. Use an occlusion map instead"):
        compute_layer_maps(flat, np.zeros((1, 4, 4, 3), np.uint8))
    unnamed = keras.Model(crops, layers.Conv2D(2, 1)(crops))
    with pytest.raises(ExplainError, match="no output 'logits'"):
        grad_cam(unnamed, np.zeros((1, 4, 4, 3), np.uint8))
    apart = keras.Model(
        crops, {"logits": layers.Dense(2)(layers.Flatten()(crops)), "m": layers.Conv2D(2, 1, name="c")(crops)}
    )
    with pytest.raises(ExplainError, match="The logits have no gradient at the layer 'c'"):
        grad_cam(apart, np.zeros((1, 4, 4, 3), np.uint8), "c")


def test_a_network_in_a_network_is_looked_into_as_if_it_stood_alone(net):
    """As loaded networks are kept, and those that were put on a pretrained backbone."""
    import keras
    from keras import layers

    from bloodcell.explain.network.gradcam import grad_cam, list_map_layers
    from bloodcell.explain.network.layer_outputs import compute_layer_maps

    alone = network()
    inner = keras.Model(alone.input, alone.output["logits"], name="inner")
    crops = keras.Input(alone.input.shape[1:])
    levels = layers.Rescaling(1.0, name="dark")(crops)  # a name that the inner network has too
    outer = keras.Model(crops, {"logits": keras.Sequential([inner], name="backbone")(levels)})
    assert list(list_map_layers(outer)) == ["dark", "backbone.inner.dark", "pool"]
    np.testing.assert_allclose(grad_cam(outer, cell()[None]), grad_cam(net, cell()[None]), atol=1e-6)
    theirs, ours = compute_layer_maps(net, cell()[None]), compute_layer_maps(outer, cell()[None])
    assert [layer.name for layer in ours] == ["backbone.inner.dark", "pool"]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one.maps, other.maps, atol=1e-6)


SMALL = {"stage_widths": (4, 6), "height_px": 96, "width_px": 96}


@pytest.mark.parametrize("name", ["small", "cnn", "fcn", "cnn_batch_norm", "custom_cnn"])
def test_every_family_of_ours_gives_maps_and_layers(name):
    """Cut down to two stages, where it may lack the layer that the family names."""
    from bloodcell.explain.network.gradcam import find_last_map_layer, grad_cam
    from bloodcell.explain.network.layer_outputs import compute_layer_maps

    model = get_builder(name)(build_default_settings(name, 3, **SMALL))
    crops = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    assert find_last_map_layer(model)
    cams = grad_cam(model, crops)
    assert cams.shape == (2, 3, 96, 96)
    assert np.isfinite(cams).all()
    layers = compute_layer_maps(model, crops, 3)
    assert {layer.kind for layer in layers} == {"convolution", "pooling"}
    assert all(layer.maps.shape[0] == len(layer.channels) <= 3 for layer in layers)


@pytest.mark.parametrize("family", [one for one in NETWORKS if one.trained_by == BY_STEPS and not one.pretrained])
def test_the_layer_that_a_family_names_is_there(family):
    from bloodcell.explain.network.gradcam import list_map_layers

    assert family.cam_layer in list_map_layers(get_builder(family.name)(build_default_settings(family.name, 4)))


def test_what_layers_put_out_by_hand(net):
    from bloodcell.explain.network.layer_outputs import compute_layer_maps

    dark, pool = compute_layer_maps(net, np.full((1, SIDE_PX, SIDE_PX, 3), 60, np.uint8))
    assert (dark.name, dark.kind, dark.n_channels) == ("dark", "convolution", 2)
    assert (pool.name, pool.kind, pool.height_px, pool.width_px) == ("pool", "pooling", SIDE_PX // 2, SIDE_PX // 2)
    assert dark.channels == (0, 1)  # 0.5 and 0: the dark one first
    assert (dark.maps[0] == 1).all()
    assert (dark.maps[1] == 0).all()
    light, _ = compute_layer_maps(net, np.full((1, SIDE_PX, SIDE_PX, 3), 230, np.uint8), n_channels=1)
    assert light.channels == (1,)
    assert (light.maps == 0).all()  # one value throughout


def test_large_maps_are_made_smaller_and_means_are_taken(net):
    import keras
    from keras import layers

    from bloodcell.explain.network.layer_outputs import MAX_SIDE_PX, compute_layer_maps

    crops = keras.Input((80, 160, 3))
    wide = keras.Model(crops, {"logits": layers.Conv2D(2, 1, name="c")(crops)})
    (layer,) = compute_layer_maps(wide, np.zeros((1, 80, 160, 3), np.uint8))
    assert layer.maps.shape == (2, MAX_SIDE_PX // 2, MAX_SIDE_PX)
    assert (layer.height_px, layer.width_px) == (80, 160)
    both, _ = compute_layer_maps(
        net, np.stack([np.full((SIDE_PX, SIDE_PX, 3), level, np.uint8) for level in (60, 110)])
    )
    assert both.channels == (0, 1)  # the mean of 0.5 and 0


def test_all_methods_together(tmp_path_factory):
    folder = nucleus_model(tmp_path_factory)
    crops = np.stack([cell(7), cell(8)])
    found = explain_crops(Engine(folder), folder, crops, METHODS, of_class="NUCLEUS")
    assert (found.n_cells, found.of_class, found.class_names) == (2, "NUCLEUS", NAMES)
    assert found.occlusion.shape == found.gradcam.shape == (2, SIDE_PX, SIDE_PX)
    assert (found.gradcam_layer, found.gradcam_map_size) == ("dark", (SIDE_PX, SIDE_PX))
    assert [layer.name for layer in found.layers] == ["dark", "pool"]
    assert explain_crops(Engine(folder), folder, crops, (GRADCAM,), "pool").gradcam_layer == "pool"


def test_the_shipped_model_is_explained_at_its_own_layer():
    crop = np.full((1, 64, 64, 3), 235, np.uint8)
    found = explain_crops(Engine(SHIPPED), SHIPPED, crop, (GRADCAM, LAYERS))
    assert (found.gradcam_layer, found.gradcam_map_size) == ("stage3_out", (4, 4))
    assert len(found.layers) > 10
    assert found.occlusion is None


def test_models_that_only_occlusion_works_for(tmp_path):
    """An imported network without model.keras, and an SVM; neither loads Keras."""
    folder = write_net(tmp_path / "pixel")
    with pytest.raises(ExplainError, match=r"pixel has no model\.keras to look into\. Use an occlusion map instead"):
        explain_crops(Engine(folder), folder, np.zeros((1, 32, 32, 3), np.uint8), (GRADCAM,))
    assert explain_crops(Engine(folder), folder, np.zeros((1, 32, 32, 3), np.uint8), (OCCLUSION,)).occlusion is not None
    (folder / "model.keras").write_bytes(b"x")
    assert find_cam_layer(folder) == ""  # of no known family
    write_spec(folder, training={"model": "resnet50_svm"})
    with pytest.raises(
        ExplainError, match=r"In the model pixel, a support vector machine classifies\. Use an occlusion map"
    ):
        find_cam_layer(folder)
    write_spec(folder, training={"model": "small"})
    assert find_cam_layer(folder) == "stage3_out"
    with pytest.raises(ModelError, match=r"model\.keras of the model pixel cannot be read"):
        explain_crops(Engine(folder), folder, np.zeros((1, 32, 32, 3), np.uint8), (LAYERS,))
