import numpy as np
import pytest

from bloodcell.core.errors import SpecError
from bloodcell.imaging.augment import NO_AUGMENTATION, REFLECT, Augmentation, augment_crop, build_stain_table
from bloodcell.imaging.crop import BACKGROUND_LEVEL

STILL = Augmentation(zoom=0, shift=0, stain=0, mixing=0, blur=0)


def cell(side_px=96):
    """A dark square in the middle of a clear crop."""
    wide = np.full((side_px, side_px, 3), BACKGROUND_LEVEL, np.uint8)
    third = side_px // 3
    wide[third:-third, third:-third] = (120, 60, 140)
    return wide


def rng(seed=0):
    return np.random.default_rng(seed)


def test_shape_and_type():
    varied = augment_crop(cell(), 64, 64, Augmentation(), rng())
    assert varied.shape == (64, 64, 3)
    assert varied.dtype == np.uint8


def test_same_generator_same_result():
    first, again, other = (augment_crop(cell(), 64, 64, Augmentation(), rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_crop_given_is_left_as_it_was():
    wide = cell()
    augment_crop(wide, 64, 64, Augmentation(), rng())
    assert np.array_equal(wide, cell())


@pytest.mark.parametrize("seed", range(20))
def test_background_stays_near_white(seed):
    empty = np.full((96, 96, 3), BACKGROUND_LEVEL, np.uint8)
    varied = augment_crop(empty, 64, 64, Augmentation(), rng(seed)).reshape(-1, 3).mean(axis=0)
    # the lamp shifts each channel by a few levels (sd 4), the mixing keeps white white
    assert np.abs(varied - BACKGROUND_LEVEL).max() < 20


@pytest.mark.parametrize("seed", range(5))
def test_turning_keeps_the_size_of_the_cell(seed):
    """Without zoom a square of 32 px stays 32 x 32 px large, whatever the angle."""
    varied = augment_crop(cell(), 64, 64, STILL, rng(seed))
    assert (varied[..., 1] < 150).sum() == pytest.approx(32 * 32, rel=0.06)


def test_zoom_changes_the_size_of_the_cell():
    areas = [
        (augment_crop(cell(), 64, 64, Augmentation(0.3, 0, 0, 0, 0), rng(s))[..., 1] < 150).sum() for s in range(20)
    ]
    # exp(-0.6) to exp(0.6) of the area
    assert min(areas) < 0.8 * 32 * 32
    assert max(areas) > 1.25 * 32 * 32
    assert min(areas) > 0.5 * 32 * 32


def test_stain_table_without_change_is_the_identity():
    table = build_stain_table(np.zeros(3), np.zeros(3))
    assert table.shape == (1, 256, 3)
    assert table.dtype == np.uint8
    assert np.array_equal(table[0], np.repeat(np.arange(256)[:, None], 3, axis=1))


def test_stronger_stain_is_darker_and_the_background_stays():
    weak, plain, strong = (build_stain_table(np.full(3, s), np.zeros(3))[0].astype(int) for s in (-0.3, 0.0, 0.3))
    levels = slice(20, BACKGROUND_LEVEL - 5)
    assert (strong[levels] < plain[levels]).all()
    assert (weak[levels] > plain[levels]).all()
    assert strong[BACKGROUND_LEVEL].tolist() == weak[BACKGROUND_LEVEL].tolist() == [BACKGROUND_LEVEL] * 3


def test_stain_doubles_the_density():
    """Half the light, twice the stain: a quarter. 235 / 2 = 117.5 -> 235 / 4 = 58.75."""
    table = build_stain_table(np.full(3, np.log(2)), np.zeros(3))[0]
    assert table[117, 0] == pytest.approx(58.75, abs=1)


def test_lamp_moves_the_background():
    assert build_stain_table(np.zeros(3), np.array([5, 0, -5]))[0][BACKGROUND_LEVEL].tolist() == [240, 235, 230]


def test_nothing_changes_nothing_but_cuts_the_middle_out():
    wide = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    assert np.array_equal(augment_crop(wide, 30, 40, NO_AUGMENTATION, rng()), wide)
    assert np.array_equal(augment_crop(wide, 20, 10, NO_AUGMENTATION, rng()), wide[5:25, 15:25])


@pytest.mark.parametrize("seed", range(5))
def test_an_image_that_is_no_square_keeps_its_shape_and_ends_at_its_sides(seed):
    wide = np.full((30, 60, 3), 100, np.uint8)
    varied = augment_crop(wide, 30, 60, Augmentation(0, 0, 0, 0, 0, cut=0.6, turn_deg=0, light=0), rng(seed))
    assert varied.shape == (30, 60, 3)
    assert set(np.unique(varied)) <= {100, BACKGROUND_LEVEL}


def test_reflection_fills_the_corners_with_the_image():
    wide = np.full((32, 32, 3), 90, np.uint8)
    turned = Augmentation(0, 0, 0, 0, 0, 0, turn_deg=45, light=0)
    reflected = Augmentation(0, 0, 0, 0, 0, 0, turn_deg=45, light=0, fill=REFLECT)
    assert (augment_crop(wide, 32, 32, turned, rng(1)) > 100).any()
    assert (augment_crop(wide, 32, 32, reflected, rng(1)) == 90).all()


def test_contrast_moves_levels_away_from_their_mean_or_towards_it():
    wide = np.repeat(np.array([100, 140], np.uint8), 32 * 16 * 3).reshape(32, 32, 3)  # mean 120
    varied = [
        augment_crop(wide, 32, 32, Augmentation(0, 0, 0, 0, 0, 0, 0, False, 0, contrast=0.5), rng(s)) for s in range(9)
    ]
    spreads = np.array([float(one.max()) - float(one.min()) for one in varied])  # 40 * exp(-0.5 .. 0.5)
    assert (spreads < 40).any()
    assert (spreads > 40).any()
    assert (spreads >= 40 * np.exp(-0.5) - 1).all()
    assert (spreads <= 40 * np.exp(0.5) + 1).all()
    assert all(one.mean() == pytest.approx(120, abs=1) for one in varied)


@pytest.mark.parametrize(
    ("setting", "message"),
    [({"zoom": 2}, "`zoom` must be from 0 to 1. Received: 2"), ({"blur": 0.9}, "`blur`"),
     ({"turn_deg": 200}, "`turn_deg` must be from 0 to 180"), ({"fill": "black"}, "`fill` must be one of .*: 'black'")],
)  # fmt: skip
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(SpecError, match=message):
        Augmentation(**setting)
