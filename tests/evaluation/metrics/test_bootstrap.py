import numpy as np
import pytest

from bloodcell.evaluation.metrics.bootstrap import cluster_bootstrap


def mean_of(values):
    values = np.asarray(values, float)
    return lambda rows: values[rows].mean()


def test_copies_make_the_interval_wider_than_counting_them_as_cells():
    """20 cells with 50 copies each: it is 20 cells that vary, not 1000."""
    right = np.repeat(np.arange(20) % 4 != 0, 50)  # 15 of 20 cells right: 0.75
    cells = np.repeat(np.arange(20), 50)
    low, high = cluster_bootstrap(mean_of(right), cells, 500)
    plain_low, plain_high = cluster_bootstrap(mean_of(right), np.arange(1000), 500)
    assert low < plain_low < 0.75 < plain_high < high
    # standard errors sqrt(0.75 * 0.25 / n): 0.097 and 0.0137; a 95 % interval is about 3.92 of them wide
    assert high - low == pytest.approx(3.92 * 0.097, rel=0.2)
    assert plain_high - plain_low == pytest.approx(3.92 * 0.0137, rel=0.2)


def test_one_group_has_no_spread():
    assert cluster_bootstrap(mean_of([0, 1, 1, 1]), np.zeros(4), 50) == (0.75, 0.75)


def test_nothing_has_no_interval():
    assert np.isnan(cluster_bootstrap(mean_of([]), np.array([]), 50)).all()


def test_nothing_is_left_where_every_draw_is_undefined():
    assert np.isnan(cluster_bootstrap(lambda rows: float("nan"), np.arange(3), 50)).all()


def test_undefined_draws_are_left_out():
    interval = cluster_bootstrap(lambda rows: 0.5 if 0 in rows else float("nan"), np.arange(4), 50)
    assert interval == (0.5, 0.5)


def test_whole_groups_are_drawn():
    groups = np.array(["b", "a", "b", "c", "a"])
    drawn = []
    cluster_bootstrap(lambda rows: drawn.append(sorted(rows.tolist())) or 0.0, groups, 40)
    for rows in drawn:
        # three groups in each draw, each with all its rows: 0 comes as often as 2, 1 as often as 4
        assert rows.count(0) + rows.count(1) + rows.count(3) == 3
        assert rows.count(0) == rows.count(2)
        assert rows.count(1) == rows.count(4)


def test_strata_keep_their_number_of_groups():
    strata = np.array([0, 0, 0, 1])
    shares = []
    cluster_bootstrap(lambda rows: shares.append((strata[rows] == 1).sum()) or 0.0, np.arange(4), 40, strata=strata)
    assert set(shares) == {1}


def test_a_lower_level_is_narrower_and_a_seed_repeats():
    values = np.arange(30) % 3
    wide, narrow = (cluster_bootstrap(mean_of(values), np.arange(30), 300, level=level) for level in (0.95, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    assert wide == cluster_bootstrap(mean_of(values), np.arange(30), 300)
