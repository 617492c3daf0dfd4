import hashlib

import pandas as pd
import pytest

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.datasets.copies.duplicates import Duplicates, find_exact_duplicates, hash_files
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents


def table(*rows):
    return pd.DataFrame(rows, columns=["file", "label", "sha256"])


def test_conflicting_labels_come_first_then_the_most_files():
    rows = table(
        ("e.png", "A", "11"),
        ("a.png", "A", "11"),
        ("b.png", "B", "22"),
        ("c.png", "A", "22"),
        ("d.png", "B", "33"),
        *[(f"{k}.png", "B", "44") for k in range(3)],
        ("unread.png", "A", ""),
        ("unread2.png", "A", None),
    )
    found = find_exact_duplicates(rows)
    assert [one.files for one in found] == [
        ("b.png", "c.png"),
        ("0.png", "1.png", "2.png"),
        ("a.png", "e.png"),
    ]
    assert [one.has_conflict for one in found] == [True, False, False]
    assert found[0] == Duplicates("22", ("b.png", "c.png"), ("B", "A"))
    assert find_exact_duplicates(rows.sample(frac=1, random_state=3)) == found


def test_a_missing_label_contradicts_none():
    (found,) = find_exact_duplicates(table(("a.png", "", "1"), ("b.png", "A", "1"), ("c.png", None, "1")))
    assert found.labels == ("", "A", "")
    assert not found.has_conflict


def test_nothing_twice():
    assert find_exact_duplicates(table()) == []
    assert find_exact_duplicates(table(("a.png", "A", "1"), ("b.png", "A", "2"))) == []


def test_a_table_without_hashes():
    with pytest.raises(DatasetError, match=r"needs the columns file, label, sha256. Missing: sha256"):
        find_exact_duplicates(table(("a.png", "A", "1")).drop(columns="sha256"))


def test_files_are_hashed(tmp_path):
    (tmp_path / "a.png").write_bytes(b"one")
    (tmp_path / "b.png").write_bytes(b"one")
    records = [Record("a.png", "A"), Record("b.png", "B")]
    calls = []
    hashed = hash_files(Contents(tmp_path), records, lambda done, total: calls.append((done, total)))
    assert hashed["sha256"].tolist() == [hashlib.sha256(b"one").hexdigest()] * 2
    assert calls == [(1, 2), (2, 2)]
    assert find_exact_duplicates(hashed)[0].has_conflict
    with pytest.raises(StoppedError, match="Hashing was stopped after 1 of 2 files"):
        hash_files(Contents(tmp_path), records, should_stop=iter([False, True]).__next__)
