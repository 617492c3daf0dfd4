"""Evaluations from settings to metrics: leaks by bytes, by source cell and by pixels; parts; marked labels; the library."""

import json

import pytest

from bloodcell.core.errors import DatasetError, ModelError, RunError, SpecError, StoppedError
from bloodcell.datasets.catalog.groups_and_splits import store_groups, store_split
from bloodcell.datasets.catalog.label_errors import (
    encode_label_errors_csv,
    mark_label_error,
    read_label_errors,
    unmark_label_error,
)
from bloodcell.datasets.catalog.library import read_images_table, rescan_dataset
from bloodcell.datasets.splits.split import split_holdout
from bloodcell.evaluation.derived import exclude_images
from bloodcell.evaluation.evaluate import run_evaluation
from bloodcell.evaluation.evaluation_folder import EVALUATION_FILE, read_evaluation
from bloodcell.evaluation.library import get_evaluation, list_evaluations, remove_evaluation, store_evaluation
from bloodcell.evaluation.metrics.measure import compute_report
from bloodcell.evaluation.selection import count_part_images
from bloodcell.evaluation.spec import EvaluateSpec
from bloodcell.imaging.read import encode_png, read_rgb
from tests.evaluation.judged import N, add_dataset, evaluated, learned_from, records_of, spec_for, workspace


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))
    return workspace(tmp_path)


def leak_of(evaluation):
    return evaluation.protocol.leak


def test_predictions_metrics_and_protocol(made):
    settings, dataset = made
    found = evaluated(settings, spec_for(dataset))
    assert found.report == compute_report(found.to_predictions())
    assert found.protocol.excluded_labels == {"BASOPHIL": 1}
    assert (found.report.n_images, found.report.n_source_cells, found.report.effective_sample_size) == (N, N, N)
    assert found.prediction_table["label"].tolist() == [
        one.label.upper() for one in records_of(dataset) if "baso" not in one.file
    ]
    assert found.prediction_table["sha256"].tolist() == [
        sha
        for file, sha in read_images_table(dataset)[["file", "sha256"]].itertuples(index=False)
        if "baso" not in file
    ]
    assert leak_of(found).describe()[0].startswith("It is not known which images")
    assert (found.prediction_table["leak"] == "").all()


def test_leaks_by_bytes_and_by_source_cell(made):
    settings, dataset = made
    files = [one.file for one in records_of(dataset)]
    group_of = {file: str(number // 2) for number, file in enumerate(files)}  # pairs of images show one cell
    store_groups(dataset, group_of, "by hand")
    judged = [file for file in files if "baso" not in file]
    learned_from(settings, dataset, [judged[0], judged[5]], chosen_on=[judged[1], judged[7]])
    found = evaluated(settings, spec_for(dataset, groups="kept"))
    leak = leak_of(found)
    words = dict(zip(found.prediction_table["file"], found.prediction_table["leak"], strict=True))
    mates = {file for file in judged for seen in (judged[0], judged[5]) if group_of[file] == group_of[seen]}
    assert {file for file, word in words.items() if word == "learned"} == {judged[0], judged[5]}
    assert {file for file, word in words.items() if word == "same cell"} == mates - {judged[0], judged[5]}
    assert {file for file, word in words.items() if word == "chosen on"} == {judged[1], judged[7]} - mates
    assert leak.n_leaking == len(mates)
    assert leak.describe()[0].startswith(f"The model was trained on {len(mates)} of these {N} images")


def test_a_training_cell_outside_the_part_counts(made):
    settings, dataset = made
    files = [one.file for one in records_of(dataset)]
    table = read_images_table(dataset)[["file", "label"]]
    split = split_holdout(table.assign(group=table["file"]), 0.5)
    store_split(dataset, "halves", split)
    store_groups(dataset, dict.fromkeys(files, "one cell"), "by hand")
    part_of = dict(zip(split.table["file"], split.table["split"], strict=True))
    part = "validation"
    assert count_part_images(dataset)["halves", part] == list(part_of.values()).count(part)
    learned_from(settings, dataset, [next(file for file in files if part_of[file] == "train")])
    found = evaluated(settings, spec_for(dataset, groups="kept", split="halves", part=part))
    assert set(found.prediction_table["file"]) == {
        file for file in files if part_of[file] == part and "baso" not in file
    }
    assert leak_of(found).same_cell == len(found.prediction_table)
    with pytest.raises(DatasetError, match="no images in a part 'fold9'"):
        evaluated(settings, spec_for(dataset, split="halves", part="fold9"))


def test_near_copies_in_another_dataset(made, tmp_path):
    settings, dataset = made
    other = add_dataset(settings, tmp_path, "Other", first=100)
    copied = sorted((tmp_path / "Drawn").rglob("*.png"))[4]
    turned = read_rgb(copied.read_bytes())[::-1, ::-1]
    target = other.path / copied.parent.name / "copy.png"
    target.write_bytes(encode_png(turned))
    other = rescan_dataset(other)
    learned_from(settings, dataset, [one.file for one in records_of(dataset)])
    found = evaluated(settings, spec_for(other))
    words = dict(zip(found.prediction_table["file"], found.prediction_table["leak"], strict=True))
    assert {file for file, word in words.items() if word} == {f"{copied.parent.name}/copy.png"}
    leak = leak_of(found)
    assert (leak.near_copies, leak.trained_on, leak.compared_with) == (1, 0, ("Drawn",))
    quick = evaluated(settings, spec_for(other, compares_pixels=False))
    assert leak_of(quick).near_copies is None
    assert leak_of(quick).n_leaking == 0


def test_marked_labels_are_left_out_and_said(made):
    settings, dataset = made
    files = [one.file for one in records_of(dataset) if "baso" not in one.file]
    whole = evaluated(settings, spec_for(dataset))
    mark_label_error(dataset, files[2], "eosinophil", "MONOCYTE", "Ada")
    mark_label_error(dataset, files[3], "lymphocyte", "", "Ada")
    assert [one.suggested for one in read_label_errors(dataset).values()] == ["MONOCYTE", ""]
    assert encode_label_errors_csv(dataset).decode("utf-8-sig").splitlines()[0] == "file,label,suggested,who,when"
    assert f"{files[2]},eosinophil,MONOCYTE,Ada," in encode_label_errors_csv(dataset).decode("utf-8-sig")
    kept = exclude_images(whole, read_label_errors(dataset))
    again = evaluated(settings, spec_for(dataset, leaves_out_marked=True))
    for one in (kept, again):
        assert one.protocol.excluded_files == tuple(files[2:4])
        assert set(one.prediction_table["file"]) == set(files) - set(files[2:4])
    assert kept.report == again.report
    assert kept.protocol.images_sha256 != whole.protocol.images_sha256
    assert kept.protocol.leak.images == N - 2
    unmark_label_error(dataset, files[2])
    assert list(read_label_errors(dataset)) == [files[3]]
    with pytest.raises(DatasetError, match="All 12 images are marked"):
        exclude_images(whole, files)


def test_the_library_of_evaluations(made):
    settings, dataset = made
    assert list_evaluations(settings) == []
    found = evaluated(settings, spec_for(dataset))
    names = [store_evaluation(found, settings.home / "new", "mine", settings) for _ in range(2)]
    assert names == ["mine", "mine-2"]
    assert {one.name for one in list_evaluations(settings)} == set(names)
    info = get_evaluation("mine-2", settings)
    assert info.report == found.report
    assert read_evaluation(info.folder).prediction_table.equals(found.prediction_table)
    assert info.protocol.images_sha256 == get_evaluation("mine", settings).protocol.images_sha256
    remove_evaluation(info)
    with pytest.raises(RunError, match="There is no evaluation 'mine-2'"):
        get_evaluation("mine-2", settings)
    (settings.evaluations_dir / "mine" / EVALUATION_FILE).write_text("{")
    assert list_evaluations(settings) == []
    with pytest.raises(RunError, match="mine is damaged"):
        get_evaluation("mine", settings)


def test_stopping(made):
    settings, dataset = made
    with pytest.raises(StoppedError):
        run_evaluation(spec_for(dataset), settings.home, settings, lambda *_: None, lambda: True)


def test_a_model_that_is_not_there(made):
    settings, dataset = made
    with pytest.raises(ModelError, match="There is no model 'gone'"):
        evaluated(settings, spec_for(dataset, model="gone"))


def test_settings(made):
    _, dataset = made
    spec = spec_for(dataset, part="test", title="Mine")
    assert EvaluateSpec.from_json(spec.to_json()) == spec
    assert spec_for(dataset, part="test").display_title == "tiny on Drawn, test"
    wrong = (
        ({"name": "../x"}, "small letters"),
        ({"model": ""}, "must name a model"),
        ({"split": "s"}, "must name a part"),
    )
    for changes, message in wrong:
        with pytest.raises(SpecError, match=message):
            spec_for(dataset, **changes)
    with pytest.raises(SpecError, match=r"Unknown settings \['colour'\]"):
        EvaluateSpec.from_json(json.dumps({**json.loads(spec.to_json()), "colour": 1}))
