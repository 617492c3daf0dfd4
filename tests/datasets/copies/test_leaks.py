import csv
import io

import cv2
import numpy as np
import pytest

from bloodcell.core.errors import DatasetError, StoppedError
from bloodcell.datasets.copies.leak_report import HEADER
from bloodcell.datasets.copies.leaks import ImageSet, find_leaks
from bloodcell.datasets.labels.records import Record
from bloodcell.datasets.sources.contents import Contents
from bloodcell.synthetic.gallery import draw_field
from tests.datasets.copies.test_groups import COPIES, HEIGHT_PX, WIDTH_PX, relit, turned


@pytest.fixture(scope="module")
def fields():
    return [draw_field(seed, 1, HEIGHT_PX, WIDTH_PX).rgb for seed in range(5)]


def image_set(folder, images):
    """A set on the disk from file -> image or bytes; the files' folder is their label."""
    for file, content in images.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            content if isinstance(content, bytes) else cv2.imencode(".png", content[..., ::-1])[1].tobytes()
        )
    records = [Record(file, file.rpartition("/")[0]) for file in sorted(images)]
    return ImageSet(folder.name, Contents(folder), records)


def named_pairs(report):
    return [(report.records[pair.a].file, report.records[pair.b].file, pair.kind) for pair in report.pairs]


def test_drawn_copies_are_found_across_two_sets(fields, tmp_path):
    train = image_set(tmp_path / "train", {f"A/{k}.png": field for k, field in enumerate(fields[:3])})
    copies = {f"A/{name}.png": copy(fields[0]) for name, copy in COPIES.items()}
    test = image_set(tmp_path / "test", copies | {"A/of 1.png": turned(fields[1], 40), "A/none.png": fields[3]})
    report = find_leaks([train, test])
    expected = {("A/0.png", file) for file in copies} | {("A/1.png", "A/of 1.png")}
    assert {pair[:2] for pair in named_pairs(report)} == expected
    kinds = {file: kind for _, file, kind in named_pairs(report)}
    assert kinds.pop("A/exact.png") == "exact duplicate"
    assert set(kinds.values()) == {"near copy"}
    in_train, in_test = report.shared_counts
    assert (in_train.images, in_train.images_shared, in_train.source_cells, in_train.source_cells_shared) == (
        3,
        2,
        3,
        2,
    )
    assert (in_test.images, in_test.images_shared, in_test.source_cells, in_test.source_cells_shared) == (
        14,
        13,
        3,
        2,
    )
    assert next(report.records[pair.b].file for pair in report.pick_clearest_pairs()) == "A/exact.png"
    assert len(report.pick_clearest_pairs()) == 2


def test_nothing_shared(fields, tmp_path):
    report = find_leaks(
        [image_set(tmp_path / "a", {"1.png": fields[0]}), image_set(tmp_path / "b", {"1.png": fields[1]})]
    )
    assert report.pairs == ()
    assert [one.images_shared for one in report.shared_counts] == [0, 0]
    assert report.encode_csv().decode() == ",".join(HEADER) + "\r\n"


def test_a_chain_of_copies_is_one_cell(tmp_path):
    wide = draw_field(3, 4, HEIGHT_PX, 560).rgb
    first, middle, last = wide[:, :320], wide[:, 120:440], wide[:, 240:]  # first and last share a quarter only
    train = image_set(tmp_path / "train", {"1.png": first})
    report = find_leaks([train, image_set(tmp_path / "test", {"2.png": relit(middle), "3.png": last})])
    assert report.groups.tolist() == [0, 0, 0]
    assert {pair[1]: pair[2] for pair in named_pairs(report)} == {
        "2.png": "near copy",
        "3.png": "linked by other copies",
    }


def test_different_labels_come_first_and_bytes_count_where_pixels_cannot_be_read(fields, tmp_path):
    png = cv2.imencode(".png", fields[0])[1].tobytes()
    bmp = cv2.imencode(".bmp", fields[1])[1].tobytes()
    train = image_set(tmp_path / "train", {"A/1.png": png, "A/2.bmp": bmp, "A/bad.png": b"no image"})
    other = {"A/9.png": png, "B/8.png": png, "A/2.png": fields[1][..., ::-1], "A/worse.png": b"no image"}
    report = find_leaks([train, image_set(tmp_path / "test", other)])
    assert named_pairs(report) == [
        ("A/1.png", "B/8.png", "exact duplicate"),
        ("A/1.png", "A/9.png", "exact duplicate"),
        ("A/bad.png", "A/worse.png", "exact duplicate"),
        ("A/2.bmp", "A/2.png", "same pixels"),
    ]
    assert [one[:2] for one in report.unreadable] == [("train", "A/bad.png"), ("test", "A/worse.png")]


def test_parts_of_a_split(fields, tmp_path):
    whole = image_set(
        tmp_path / "all", {f"{k}.png": copy(fields[0]) for k, copy in enumerate((relit, turned_10, np.copy))}
    )
    parts = [ImageSet(f"fold{k}", whole.source, [record]) for k, record in enumerate(whole.records)]
    report = find_leaks(parts)
    assert [(pair.a < pair.b, pair.kind) for pair in report.pairs] == [(True, "near copy")] * 2
    assert [one.images_shared for one in report.shared_counts] == [1, 1, 1]


def turned_10(rgb):
    return turned(rgb, 10)


def test_the_table_names_both_files_and_how_alike_they_are(fields, tmp_path):
    sets = [image_set(tmp_path / "=a", {"A/1.png": fields[0]}), image_set(tmp_path / "b", {"@.png": relit(fields[0])})]
    header, row = csv.reader(io.StringIO(find_leaks(sets).encode_csv().decode()))
    assert tuple(header) == HEADER
    assert row[:8] == ["'=a", "A/1.png", "A", "b", "'@.png", "", "near copy", "0"]
    assert int(row[8]) > 50
    assert float(row[9]) > 0.9
    assert float(row[10]) == pytest.approx(1, abs=0.05)


def test_progress_rises_to_its_total_and_the_search_can_be_stopped(fields, tmp_path):
    sets = [image_set(tmp_path / name, {"1.png": fields[0], "2.png": fields[1]}) for name in ("a", "b")]
    calls = []
    find_leaks(sets, on_progress=lambda done, total: calls.append((done, total)))
    assert calls == sorted(calls)
    assert calls[-1] == (12, 12)
    for n_asked in (1, 4):
        answers = iter([False] * n_asked + [True] * 99)
        with pytest.raises(StoppedError, match="The search for copies was stopped"):
            find_leaks(sets, should_stop=answers.__next__)


def test_sets_that_cannot_be_compared(fields, tmp_path):
    one = image_set(tmp_path / "a", {"1.png": fields[0]})
    for sets in ([], [one], [one, one], [one, ImageSet("b", one.source, [])]):
        with pytest.raises(DatasetError, match="two or more sets of different names with images"):
            find_leaks(sets)


def test_a_file_that_is_gone_is_named(fields, tmp_path):
    one = image_set(tmp_path / "a", {"1.png": fields[0]})
    report = find_leaks([one, ImageSet("b", one.source, [Record("gone.png", "")])])
    assert report.unreadable[0][:2] == ("b", "gone.png")
