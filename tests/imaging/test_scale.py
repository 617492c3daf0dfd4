import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from bloodcell.core.errors import DatasetError, ImageError, SpecError
from bloodcell.imaging.scale import CROPS_PER_CHUNK, FITTED, SCALINGS, fit_scaling, make_fixed_scaling


def drawn(n=50, side_px=4, seed=0):
    """Crops whose places differ in level and spread; (0, 0) is always 235, (1, 1) differs in one crop by one level."""
    rng = np.random.default_rng(seed)
    centre, spread = rng.uniform(60, 200, (side_px, side_px, 3)), rng.uniform(1, 40, (side_px, side_px, 3))
    crops = np.clip(rng.normal(centre, spread, (n, side_px, side_px, 3)), 0, 255).astype(np.uint8)
    crops[:, 0, 0], crops[:, 1, 1] = 235, 235
    crops[0, 1, 1] = 234
    return crops


def in_columns(name, crops):
    """As StandardScaler wants them: a column for each mean that is fitted."""
    return crops.reshape({"pixel": (len(crops), -1), "channel": (-1, 3), "global": (-1, 1)}[name]).astype(np.float64)


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("batch", [1, 7, 50])
def test_as_standard_scaler(name, batch):
    crops = drawn()
    fitted = fit_scaling(name, (crops[start : start + batch] for start in range(0, 50, batch)))
    expected = StandardScaler().fit(in_columns(name, crops))
    assert fitted.mean.ravel() == pytest.approx(expected.mean_, abs=1e-9)
    assert fitted.sd.ravel() == pytest.approx(expected.scale_, abs=1e-9)
    theirs = expected.transform(in_columns(name, crops)).reshape(crops.shape)
    assert np.abs(fitted.apply(crops) - theirs).max() < 1e-6


def test_by_hand():
    """Two crops of one pixel, (0, 10, 20) and (4, 10, 60)."""
    crops = np.array([[[[0, 10, 20]]], [[[4, 10, 60]]]], np.uint8)
    channel = fit_scaling("channel", [crops])
    assert channel.mean.tolist() == [2, 10, 40]
    assert channel.sd.tolist() == [2, 1, 20]  # the second never varied
    assert channel.apply(crops)[:, 0, 0].tolist() == [[-1, 0, -1], [1, 0, 1]]
    whole = fit_scaling("global", [crops])
    assert whole.mean == pytest.approx(104 / 6)
    assert whole.sd == pytest.approx(np.sqrt((0 + 100 + 400 + 16 + 100 + 3600) / 6 - (104 / 6) ** 2))


def test_each_crop_by_its_own():
    """Neither lamp nor strength of the stain is left: a darker crop of half the contrast comes out alike."""
    scaling, crops = make_fixed_scaling("crop"), drawn(side_px=20) // 2 * 2
    scaled = scaling.apply(crops)
    assert np.abs(scaled.mean(axis=(1, 2))).max() < 1e-9
    assert scaled.std(axis=(1, 2)) == pytest.approx(1, abs=1e-2)
    assert np.abs(scaling.apply(crops // 2 + 10) - scaled).max() < 0.05
    even = np.full((1, 4, 4, 3), 77, np.uint8)
    assert (scaling.apply(even) == 0).all()


def test_shapes():
    crops = drawn(side_px=5)
    assert [fit_scaling(name, [crops]).mean.shape for name in ("pixel", "channel", "global")] == [(5, 5, 3), (3,), ()]
    assert fit_scaling("pixel", [crops]).mean.dtype == np.float64


def test_a_place_that_never_varies_is_exactly_so_in_any_batches():
    """Its scaled level is 0, another level there counts in levels; a place that varied once keeps its small spread."""
    crops = drawn(n=201)
    fitted = fit_scaling("pixel", np.array_split(crops, 13))
    assert (fitted.sd[0, 0] == 1).all()
    assert (fitted.mean[0, 0] == 235).all()
    assert fitted.apply(np.full((1, 4, 4, 3), 200, np.uint8))[0, 0, 0].tolist() == [-35, -35, -35]
    assert fitted.sd[1, 1] == pytest.approx(np.sqrt(200) / 201)  # 1 of 201: sqrt(p (1 - p))


@given(st.lists(st.integers(0, 3 * CROPS_PER_CHUNK), min_size=1, max_size=6))
def test_batches_do_not_matter(sizes):
    crops = drawn(n=max(1, sum(sizes)), side_px=2)
    sizes = sizes if sum(sizes) else [1]
    one = fit_scaling("pixel", [crops])
    other = fit_scaling("pixel", np.split(crops, np.cumsum(sizes)[:-1]))
    assert other.mean == pytest.approx(one.mean, abs=1e-9)
    assert other.sd == pytest.approx(one.sd, abs=1e-9)
    assert (other.images, other.crops_sha256) == (len(crops), one.crops_sha256)


def test_a_small_spread_around_a_high_level():
    """Where the sum of squares would cancel: levels 254 and 255 in turn."""
    crops = np.full((1000, 2, 2, 3), 254, np.uint8)
    crops[::2] = 255
    assert fit_scaling("global", [crops]).sd == pytest.approx(0.5, abs=1e-12)


def test_the_fingerprint_is_that_of_the_levels():
    crops = drawn()
    assert fit_scaling("global", [crops]).crops_sha256 == hashlib.sha256(crops.tobytes()).hexdigest()
    other = crops.copy()
    other[-1, 0, 0, 0] -= 1
    assert fit_scaling("global", [other]).crops_sha256 != fit_scaling("global", [crops]).crops_sha256


def test_views_of_larger_crops():
    wide = drawn(side_px=6)
    middle = wide[:, 1:5, 1:5]
    assert fit_scaling("pixel", [middle]).crops_sha256 == fit_scaling("pixel", [middle.copy()]).crops_sha256


def test_the_fixed_ones():
    ends = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
    assert make_fixed_scaling("-1..1").apply(ends).ravel().tolist() == [-1, 1]
    assert make_fixed_scaling("255").apply(ends).ravel().tolist() == [0, 1]
    assert (make_fixed_scaling("255").images, make_fixed_scaling("255").crops_sha256) == (0, "")


def test_every_scaling_is_fixed_or_fitted():
    assert SCALINGS == ("-1..1", "255", "imagenet torch", "imagenet caffe", "crop", "channel", "global", "pixel")


def test_scalings_of_imagenet_by_hand():
    white = np.full((1, 1, 1, 3), 255, np.uint8)
    # blue, green, red: 255 less 103.939, 116.779, 123.68
    assert make_fixed_scaling("imagenet caffe").apply(white).ravel() == pytest.approx([151.061, 138.221, 131.32])
    # red, green, blue: (255 - 123.675) / 58.395 and so on
    assert make_fixed_scaling("imagenet torch").apply(white).ravel() == pytest.approx(
        [2.2489, 2.4286, 2.6400], abs=1e-4
    )


def test_crops_need_not_be_square():
    crops = np.arange(2 * 2 * 3 * 3, dtype=np.uint8).reshape(2, 2, 3, 3)
    assert fit_scaling("pixel", [crops]).mean.tolist() == crops.mean(axis=0).tolist()


@pytest.mark.parametrize("batches", [[], [np.zeros((0, 4, 4, 3), np.uint8)]])
def test_nothing_to_fit_on(batches):
    with pytest.raises(DatasetError, match="The scaling 'global' needs at least one crop to fit"):
        fit_scaling("global", batches)


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((2, 4, 4, 3)),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 5, 1), np.uint8),
        np.zeros((2, 4, 4), np.uint8),
    ],
)
def test_what_is_no_crop(batch):
    with pytest.raises(ImageError, match=r"Crops must be uint8 of shape \(N, H, W, 3\)\. Received: .*4"):
        fit_scaling("pixel", [batch])


def test_crops_of_two_sizes():
    with pytest.raises(ImageError, match=r"shape \(N, 4, 4, 3\)\. Received: uint8 \(50, 5, 5, 3\)"):
        fit_scaling("global", [drawn(), drawn(side_px=5)])


def test_names_that_are_none():
    with pytest.raises(
        SpecError, match=r"that is fitted must be one of \('channel', 'global', 'pixel'\)\. Received: '255'"
    ):
        fit_scaling("255", [drawn()])
    with pytest.raises(
        SpecError, match=r"without fitting must be one of \('-1\.\.1', '255', 'imagenet .*\. Received: 'pixel'"
    ):
        make_fixed_scaling("pixel")
