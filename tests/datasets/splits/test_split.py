import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.splits.assignment import draw_groups
from bloodcell.datasets.splits.split import find_leaking_groups, split_holdout, split_into_folds
from bloodcell.datasets.splits.split_file import encode_split_csv, read_split


def table(groups):
    """One row an image: `groups` is a list of (label, size)."""
    rows = [
        (f"{label}/{number}_{copy}.png", f"g{number}", label)
        for number, (label, size) in enumerate(groups)
        for copy in range(size)
    ]
    return pd.DataFrame(rows, columns=["file", "group", "label"])


tables = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9)), min_size=6, max_size=40).map(table)


def parts_of(split):
    return dict(zip(split.table["file"], split.table["split"], strict=True))


def made(rows, how, seed, **options):
    return split_into_folds(rows, 3, seed, **options) if how == "folds" else split_holdout(rows, 0.25, seed, **options)


hows = st.sampled_from(["folds", "holdout"])


@settings(max_examples=40)
@given(tables, hows, st.integers(0, 9), st.sampled_from([0.0, 0.2]), st.randoms(use_true_random=False))
def test_whatever_the_table(rows, how, seed, test_share, random):
    try:
        split = made(rows, how, seed, test_share=test_share)
    except DatasetError:  # only where groups or images are few
        sizes = rows["label"].value_counts()
        assert rows["group"].nunique() < 6 + 3 * (test_share > 0) or sizes.max() < 9
        return
    assert find_leaking_groups(split.table) == []
    assert (split.table.groupby("group")["split"].nunique() == 1).all()
    assert split.table["file"].tolist() == sorted(rows["file"])
    assert set(split.parts) <= {"train", "validation", "test", "fold0", "fold1", "fold2"}
    assert not split.leaky
    # The same seed again, rows in another order, groups by other names.
    order = list(range(len(rows)))
    random.shuffle(order)
    renamed = rows.iloc[order].assign(group=[group[::-1] for group in rows["group"].iloc[order]])
    assert parts_of(made(renamed, how, seed, test_share=test_share)) == parts_of(split)


@settings(max_examples=60)
@given(tables, st.sampled_from([0.1, 0.2, 0.35, 0.5]), st.integers(0, 9))
def test_a_drawn_share_is_met_within_the_largest_group(rows, share, seed):
    if rows["group"].nunique() < 2:
        return
    drawn = draw_groups(rows["label"].to_numpy(), rows["group"].to_numpy(str), share, seed)
    assert 0 < drawn.sum() < len(rows)
    n_groups = rows.groupby("label")["group"].nunique()
    for label, n in n_groups.items():
        mine = (rows["label"] == label).to_numpy()
        largest = rows[mine].groupby("group").size().max()
        assert abs(drawn[mine].sum() - share * mine.sum()) <= largest
        if n >= 2:
            assert 0 < drawn[mine].sum() < mine.sum()


@settings(max_examples=40)
@given(tables, st.integers(2, 5), st.integers(0, 9))
def test_folds_differ_by_the_largest_group_at_most(rows, n_folds, seed):
    if rows["group"].nunique() < n_folds or rows["label"].value_counts().max() < n_folds:
        return
    split = split_into_folds(rows, n_folds, seed)
    for label, of_label in split.table.groupby("label"):
        in_fold = [int((of_label["split"] == f"fold{fold}").sum()) for fold in range(n_folds)]
        assert max(in_fold) - min(in_fold) <= of_label.groupby("group").size().max()
        assert (of_label["group"].nunique() >= n_folds) == (not any(text.startswith(label) for text in split.warnings))
        if of_label["group"].nunique() >= n_folds:
            assert min(in_fold) > 0


def test_patients_with_cells_of_both_classes():
    rng = np.random.default_rng(0)
    rows = [
        (f"{patient}_{cell}.png", str(patient), "AB"[int(rng.random() < share)])
        for patient, share in enumerate(rng.random(50))
        for cell in range(int(rng.integers(20, 200)))
    ]
    split = split_holdout(pd.DataFrame(rows, columns=["file", "group", "label"]), 0.2, test_share=0.2)
    counts = split.table.groupby(["label", "split"]).size()
    for label in "AB":
        of_label = counts[label] / counts[label].sum()
        assert of_label.to_dict() == pytest.approx({"train": 0.6, "validation": 0.2, "test": 0.2}, abs=0.03)


def test_other_seeds_give_other_splits():
    rows = table([("A", 3)] * 30)
    assert (
        len({tuple(parts_of(made(rows, how, seed)).values()) for how in ("folds", "holdout") for seed in range(4)}) == 8
    )


def test_fixed_test_files_stay_and_their_copies_are_left_out():
    rows = table([("A", 3)] * 10)
    split = split_into_folds(rows, 3, test_files=["A/0_1.png", "A/1_0.png", "A/1_1.png", "A/1_2.png"])
    of = parts_of(split)
    assert [file for file, part in of.items() if part == "test"] == ["A/0_1.png", "A/1_0.png", "A/1_1.png", "A/1_2.png"]
    assert [file for file, part in of.items() if part == "excluded"] == ["A/0_0.png", "A/0_2.png"]
    assert split.warnings == ("Excluded because they share a group with a fixed test image: 2 images.",)
    assert split.parts == ("fold0", "fold1", "fold2", "test", "excluded")
    assert find_leaking_groups(split.table) == []


def test_too_few_groups():
    rows = table([("A", 9), ("B", 9)])
    with pytest.raises(DatasetError, match=r"3 folds need at least 3 groups \(source cells or patients\). Received: 2"):
        split_into_folds(rows, 3)
    with pytest.raises(DatasetError, match=r"Two parts need at least 2 groups .* Received: 1"):
        split_holdout(table([("A", 9)]), 0.2)
    with pytest.raises(DatasetError, match=r"3 folds need at least 3 images. Received: 2"):
        split_into_folds(table([("A", 2)]), 3, leaky=True)
    with pytest.raises(DatasetError, match=r"5 folds need a class with at least 5 images. The largest class has 2"):
        split_into_folds(table([("A", 1), ("A", 1), ("B", 1), ("B", 1), ("C", 1), ("C", 1)]), 5)


def test_a_class_of_few_groups_is_told():
    split = split_into_folds(table([("A", 2)] * 6 + [("B", 5)] * 2), 3)
    assert split.warnings == ("B has only 2 groups for 3 folds, so it is missing from at least one of them.",)
    assert len({part for file, part in parts_of(split).items() if file.startswith("B")}) == 2
    split = split_holdout(table([("A", 2)] * 6 + [("B", 5)]), 0.3)
    assert split.warnings == ("B has only 1 group for 2 parts, so it is missing from at least one of them.",)


def test_a_random_split_must_be_asked_for_and_is_marked(tmp_path):
    rows = table([("A", 10), ("B", 10)])
    with pytest.raises(DatasetError, match=r"needs groups .* or `leaky=True`"):
        split_into_folds(rows.drop(columns="group"), 2)
    for given_rows in (rows, rows.drop(columns="group")):
        split = split_into_folds(given_rows, 2, leaky=True)
        assert split.leaky
        assert split.table.groupby(["label", "split"]).size().tolist() == [5] * 4
        lines = encode_split_csv(split).decode().splitlines()
        assert lines[0] == "file,group,label,split,leaky"
        assert all(line.endswith(",leaky") for line in lines[1:])
        (tmp_path / "s.csv").write_bytes(encode_split_csv(split))
        assert read_split(tmp_path / "s.csv").leaky


@pytest.mark.parametrize("name", ["file", "group", "label"])
def test_empty_cells(name):
    rows = table([("A", 2)] * 3)
    rows.loc[1, name] = ""
    with pytest.raises(DatasetError, match=f"Every image must have a {name}"):
        split_into_folds(rows, 2)


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda rows: rows.drop(columns="label"), {}, "needs the columns file, group, label. Missing: label"),
        (lambda rows: pd.concat([rows, rows[:1]]), {}, "must be in the table once. In it twice: A/0_0.png"),
        (
            lambda rows: rows,
            {"test_share": 1.0},
            r"a share from 0 to below 1 or .* Received: a share of 1, fixed files: 0",
        ),
        (
            lambda rows: rows,
            {"test_share": 0.2, "test_files": ["A/0_0.png"]},
            "not both. Received: a share of 0.2, fixed files: 1",
        ),
        (lambda rows: rows, {"test_files": ["no.png"]}, r"Unknown: no\.png\."),
    ],
)
def test_what_cannot_be_split(change, options, message):
    with pytest.raises(DatasetError, match=message):
        split_into_folds(change(table([("A", 2)] * 4)), 2, **options)


def test_numbers_out_of_range():
    with pytest.raises(DatasetError, match=r"`n_folds` must be at least 2. Received: 1"):
        split_into_folds(table([("A", 2)] * 4), 1)
    for shares in ((0.0, 0.0), (0.5, 0.5), (1.2, 0.0)):
        with pytest.raises(DatasetError, match="`validation_share` must be above 0"):
            split_holdout(table([("A", 2)] * 4), shares[0], test_share=shares[1])


def test_a_split_goes_out_and_comes_back(tmp_path):
    rows = table([("A", 2), ("B", 2)] * 4)
    rows["file"] = ["=" + file for file in rows["file"]]
    split = split_holdout(rows, 0.25, test_share=0.25)
    (tmp_path / "s.csv").write_bytes(encode_split_csv(split))
    assert (tmp_path / "s.csv").read_bytes().startswith(b"file,group,label,split\r\n'=A/0_0.png,g0,A,")
    back = read_split(tmp_path / "s.csv")
    pd.testing.assert_frame_equal(back.table, split.table, check_dtype=False)
    assert not back.leaky
    assert back.parts == ("train", "validation", "test")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,split\na,train\n", r"must have the columns file, group, label, split\. Received: file, split"),
        ("file,group,label,split\n", "must name at least one file. Received: none"),
        ("file,group,label,split\na,1,A,train\na,1,A,train\n", "must name every file once. Named twice: a"),
        ("file,group,label,split\na,1,A,\n", "must give every row a split. There is none in the row 'a, 1, A'"),
        (
            "file,group,label,split\na,1,A,train\nb,1,A,test\n",
            r"leaks and is not marked leaky. Groups in more than one part: '1'",
        ),
        ("file,group,label,split\na,1,A,train\nb,,A,test\n", "has rows without a group, so it may leak"),
    ],
)
def test_split_files_that_cannot_be_used(tmp_path, text, message):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        read_split(tmp_path / "s.csv")


def test_a_leaking_file_can_be_taken_on_purpose_and_is_marked(tmp_path):
    (tmp_path / "s.csv").write_text("file,group,label,split\na,1,A,train\nb,1,A,test\nc,1,A,excluded\n")
    split = read_split(tmp_path / "s.csv", leaky=True)
    assert split.leaky
    assert find_leaking_groups(split.table) == ["1"]
