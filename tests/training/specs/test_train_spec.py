import json
from dataclasses import asdict, replace

import pytest

from bloodcell.core.errors import SpecError
from bloodcell.datasets.catalog.source_spec import SourceSpec
from bloodcell.training.specs.train_spec import TrainSpec

SOURCE = SourceSpec(name="pbc", path="pbc.zip", labels=(("NEU", "NEUTROPHIL"),), weight=0.5)
SPEC = TrainSpec(name="mine", sources=(SOURCE,), stage_widths=(8, 16), epochs=3, seed=7)


def test_survives_json():
    assert TrainSpec.from_json(SPEC.to_json()) == SPEC
    assert TrainSpec.from_json(SPEC.tiny().to_json()) == SPEC.tiny()
    assert SourceSpec.from_json(json.dumps(asdict(SOURCE))) == SOURCE


def test_limits_survive_json():
    limited = replace(SPEC, sources=(replace(SOURCE, limits=(("NEUTROPHIL", 75),)),))
    assert TrainSpec.from_json(limited.to_json()) == limited


def test_a_spec_of_before_these_settings_is_the_same_run():
    """Classes in equal parts, levels to -1..1, cross-entropy: as the shipped model was trained."""
    spec = TrainSpec.from_json('{"name": "x", "sources": [{"name": "a", "path": "b"}]}')
    settings = (spec.scaling, spec.class_sampling, spec.class_weights, spec.focal_gamma, spec.sources[0].limits)
    assert settings == ("-1..1", "equal parts", "none", 0, ())
    fitting = (spec.optimizer, spec.schedule, spec.keep, spec.patience, spec.deterministic)
    assert fitting == ("adamw", "cosine", "mean", 0, False)


def test_settings_that_wbc4_was_recorded_with_are_read_under_their_names_of_today():
    spec = TrainSpec.from_json(
        '{"name": "x", "sources": [{"name": "a", "path": "b"}], "side_px": 48, "stain_jitter": 0.1}'
    )
    assert (spec.height_px, spec.width_px) == (48, 48)
    assert (spec.augment.stain, spec.augment.mixing) == (0.1, pytest.approx(0.02))


def test_a_family_of_published_work_is_trained_on_whole_images_each_once():
    spec = TrainSpec.for_network("cnn", "mine", (SOURCE,), epochs=2)
    assert (spec.input, spec.height_px, spec.width_px, spec.scaling, spec.epochs) == ("image", 120, 160, "255", 2)
    assert (spec.class_sampling, spec.images_per_epoch, spec.ood_head) == ("every image once", 0, False)
    assert TrainSpec.from_json(spec.to_json()) == spec
    assert TrainSpec.for_network("small", "mine", (SOURCE,)).ood_head


def test_augmentation_that_is_no_object():
    with pytest.raises(SpecError, match="`augment` must be an object"):
        TrainSpec.from_json('{"name": "x", "sources": [{"name": "a", "path": "b"}], "augment": 3}')


def test_reads_a_file(tmp_path):
    (tmp_path / "spec.json").write_text(SPEC.to_json())
    assert TrainSpec.read(tmp_path / "spec.json") == SPEC


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SpecError, match=r"training spec .*spec\.json cannot be read: No such file"):
        TrainSpec.read(tmp_path / "spec.json")


def test_defaults_fill_what_is_left_out():
    spec = TrainSpec.from_json('{"name": "x", "sources": [{"name": "a", "path": "b"}]}')
    assert spec == TrainSpec(name="x", sources=(SourceSpec("a", "b"),))


def test_tiny_is_the_same_run_but_small():
    tiny = SPEC.tiny()
    assert (tiny.name, tiny.sources, tiny.class_names, tiny.seed) == (SPEC.name, SPEC.sources, SPEC.class_names, 7)
    assert tiny.epochs == 1
    assert tiny.height_px < SPEC.height_px
    assert tiny.images_per_epoch >= tiny.batch_size


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "must be one JSON object"),
        ('{"name": "x", "sources": {"a": 1}}', r"`sources` must be a list\. Received: {'a': 1}"),
        ('{"name": "x", "sources": ["a"]}', "An entry of `sources` must be an object with settings. Received: 'a'"),
        ('{"name": "x"}', r"This training spec lacks the settings \['sources'\]"),
        ('{"sources": [{"name": "a", "path": "b"}]}', r"This training spec lacks the settings \['name'\]"),
        ('{"name": "x", "sources": [{"name": "a"}]}', r"This source lacks the settings \['path'\]"),
        ('{"name": "x", "sources": [], "height_px": 64}', "needs at least one source"),
        (
            '{"name": "x", "sources": [{"name": "a", "path": "b"}], "height_px": "64"}',
            "`height_px` must be a whole number. Received: '64'",
        ),
        (
            '{"name": "x", "sources": [{"name": "a", "path": "b"}], "epoch": 3, "bach": 1}',
            r"Unknown settings \['bach', 'epoch'\] in a training spec\. Known: \['name', 'sources'",
        ),
        ('{"name": "x", "sources": [{"name": "a", "pth": "b"}]}', r"Unknown settings \['pth'\]"),
    ],
)
def test_texts_that_are_no_spec(text, message):
    with pytest.raises(SpecError, match=message):
        TrainSpec.from_json(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("ONE",)}, r"needs two classes or more\. Received: \('ONE',\)"),
        ({"sources": ()}, "at least one source"),
        ({"weights": ""}, "`weights` must be 'none', 'imagenet' or the path of a file"),
        ({"stage_widths": (8, 0)}, r"`stage_widths` must be whole numbers of 1 or more\. Received: \(8, 0\)"),
        (
            {"model": "fcn", "stage_widths": (8,)},
            r"`stage_widths` of 'fcn' must name 2 stages or more\. Received: \(8,\)",
        ),
        ({"height_px": 31}, r"`height_px` must be from 32 to 640\. Received: 31"),
        ({"width_px": 641}, "`width_px` must be from 32 to 640"),
        ({"epochs": 0}, r"`epochs` must be 1 or more\. Received: 0"),
        ({"batch_size": 1}, r"`batch_size` must be 2 or more\. Received: 1"),
        ({"images_per_epoch": 63, "batch_size": 64}, "`images_per_epoch` must be at least one batch"),
        ({"unknown_share": -0.1}, r"`unknown_share` must be from 0 to below 0\.5\. Received: -0\.1"),
        ({"unknown_share": 0.5}, "`unknown_share` must be from 0 to"),
        ({"folds": 1}, r"`folds` must be 2 or more\. Received: 1"),
        ({"fold": 5, "folds": 5}, r"`fold` must be from -1 to 4\. Received: 5"),
        ({"fold": -2}, "`fold` must be from -1 to"),
        (
            {"scaling": "0..1"},
            r"`scaling` must be one of \('-1\.\.1', '255', 'imagenet .*, 'pixel'\)\. Received: '0",
        ),
        (
            {"class_sampling": "often"},
            r"`class_sampling` must be one of \('equal parts', 'as they come', 'every image once'\)\. Received: 'o",
        ),
        ({"class_weights": "heavy"}, r"`class_weights` must be one of \('none', 'balanced'\)\. Received: 'heavy'"),
        ({"class_weights": "balanced"}, "`class_weights` 'balanced' need another `class_sampling` than 'equal parts'"),
        ({"input": "field"}, r"`input` must be one of \('cell', 'image'\)\. Received: 'field'"),
        ({"mask": "hand"}, r"`mask` must be one of \('none', 'otsu', 'unet'\)\. Received: 'hand'"),
        ({"mask": "unet"}, r"`mask_model` names the folder of a U-Net .* Received: 'unet' and ''"),
        ({"mask_model": "m"}, r"is empty otherwise\. Received: 'none' and 'm'"),
        ({"model": "unet"}, "`model` 'unet' gives masks, no classes"),
        ({"model": "big"}, "`model` must be one of"),
        ({"width_px": 96}, r"must be 0 unless the network takes square cells\. Received: 0\.15 with cells of 64x96 px"),
        ({"input": "image"}, r"must be 0 unless .* with images of 64x64 px"),
        ({"frozen_epochs": 3}, r"`frozen_epochs` must be from 0 to below `epochs`\. Received: 3 of 3"),
        ({"frozen_rate": 0}, r"`frozen_rate` must be between 0 and 1\. Received: 0"),
        ({"mixed_precision": 2}, r"`mixed_precision` must be true or false\. Received: 2"),
        ({"class_sampling": "every image once"}, r"draws no crops of unknown cells: .* Received: 0\.15"),
        ({"images_per_epoch": 0}, r"or 0 for all with `class_sampling` 'every image once'\. Received: 0"),
        ({"optimizer": "lion"}, r"`optimizer` must be one of \('adamw', 'adam', 'nadam', .*\)\. Received: 'lion'"),
        ({"schedule": "steps"}, r"`schedule` must be one of \('cosine', 'constant', .*\)\. Received: 'steps'"),
        ({"monitor": "loss"}, r"`monitor` must be one of \('val_loss', .*\)\. Received: 'loss'"),
        ({"keep": "first"}, r"`keep` must be one of \('mean', 'last', 'best'\)\. Received: 'first'"),
        ({"momentum": 1}, r"`momentum` must be from 0 to below 1\. Received: 1"),
        ({"rate_factor": 1.0}, r"`rate_factor` must be between 0 and 1\. Received: 1\.0"),
        ({"plateau_patience": 0}, r"`plateau_patience` must be 1 or more\. Received: 0"),
        ({"patience": -1}, r"`patience` must be 0 or more\. Received: -1"),
        ({"deterministic": "yes"}, r"`deterministic` must be true or false\. Received: 'yes'"),
        ({"fold": -1, "patience": 3}, r"`patience` 3 need cells held out from the model: `fold` must be 0 or more"),
        (
            {"fold": -1, "keep": "best", "schedule": "reduce on plateau"},
            r"`keep` 'best' and `schedule` 'reduce on plateau' need cells held out .* Received: -1",
        ),
        ({"focal_gamma": -1}, r"`focal_gamma` must be from 0 to 10\. Received: -1"),
        ({"focal_gamma": 10.5}, "`focal_gamma` must be from 0 to 10"),
        (
            {"sources": (SourceSpec("a", "b", limits=(("BASOPHIL", 5),)),)},
            r"`limits` must name classes of \('EOSINOPHIL', .*\)\. Received: \['BASOPHIL'\]",
        ),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(SpecError, match=message):
        replace(SPEC, **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"height_px": 32, "width_px": 32},
        {"height_px": 640, "width_px": 640},
        {"images_per_epoch": 64, "batch_size": 64},
        {"unknown_share": 0.0},
        {"fold": -1},
        {"fold": 4, "folds": 5},
        {"focal_gamma": 10},
        {"fold": -1, "keep": "last", "schedule": "exponential", "deterministic": True},
        {"patience": 1, "keep": "best", "schedule": "reduce on plateau", "optimizer": "sgd", "momentum": 0},
        {"class_sampling": "as they come", "class_weights": "balanced"},
    ],
)
def test_settings_at_the_edge_of_their_range(changes):
    assert asdict(replace(SPEC, **changes)).items() >= changes.items()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "tar"}, r"`layout` must be one of \('folders', 'csv', 'dataset'\)\. Received: 'tar'"),
        ({"unlisted": "drop"}, r"`unlisted` must be one of \('unknown', 'skip'\)\. Received: 'drop'"),
        ({"weight": 0}, r"`weight` must be above 0\. Received: 0"),
        ({"limits": ("NEUTROPHIL", 75)}, "An entry of `limits` must be a list. Received: 'NEUTROPHIL'"),
        ({"limits": (("NEUTROPHIL", 0),)}, r"A limit must be at least 1 image\. Received: 0 of NEUTROPHIL"),
        ({"limits": ((7, 75),)}, "An entry of `limits` must be text. Received: 7"),
        ({"limits": (("A", 1, 2),)}, r"An entry of `limits` must be a list of 2\. Received: \('A', 1, 2\)"),
        ({"limits": (("A", 1), ("A", 2))}, r"Classes of `limits` occur twice\. Received: \('A', 'A'\)"),
        ({"limit_seed": -1}, r"`limit_seed` must be 0 or more\. Received: -1"),
        ({"layout": "csv", "csv": "a.csv"}, "needs csv, id_column, label_column and file_pattern"),
    ],
)
def test_sources_out_of_range(changes, message):
    with pytest.raises(SpecError, match=message):
        replace(SOURCE, **changes)
