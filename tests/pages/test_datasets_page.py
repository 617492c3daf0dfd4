"""The Datasets page: empty, adding a folder, every view, groups, a split, and a leaky one that has to be confirmed."""

import shutil

import pytest

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.groups_and_splits import list_stored_splits, read_stored_groups
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.datasets.splits.split_file import read_split
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.pages.conftest import new_app, own_workspace
from tests.pages.test_pages import texts, widget

VIEWS = ("Overview", "Images", "Gray levels", "Segmentation", "Duplicates", "Splits", "Problems")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes, four cells each with two copies, the patient in the name; one file that is not an image."""
    folder = tmp_path_factory.mktemp("images") / "set"
    for number, name in enumerate(("LYMPHOCYTE", "NEUTROPHIL")):
        place = folder / name
        place.mkdir(parents=True)
        for cell in range(4):
            rgb = draw_field(10 * number + cell, 1, 120, 120, scale=0.45, class_names=[name], n_platelets=0).rgb
            for copy, image in enumerate((rgb, rgb[:, ::-1].copy())):
                (place / f"C{10 * number + cell}_{copy}.png").write_bytes(encode_png(image))
    (folder / "NEUTROPHIL" / "broken.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def with_dataset(folder, tmp_path_factory):
    """A workspace in which the folder was registered by click; copied, as each test changes its own."""
    with pytest.MonkeyPatch.context() as patch:
        home = own_workspace(tmp_path_factory.mktemp("with-dataset"), patch)
        add(new_app(), folder)
    return home


@pytest.fixture
def page(app, workspace, with_dataset):
    """The page with the folder registered and opened."""
    shutil.copytree(with_dataset, workspace)
    app.run().switch_page("pages/datasets.py").run()
    assert not app.exception
    return app


def add(app, folder):
    app.run().switch_page("pages/datasets.py").run()
    widget(app.text_input, "datasets-path").set_value(str(folder)).run()
    widget(app.button, "datasets-add").click().run()
    assert not app.exception
    return app


def registered():
    (dataset,) = list_datasets(load_settings())
    return dataset


def look(app, view):
    widget(app.segmented_control, "datasets-view").set_value(view).run()
    assert not app.exception
    assert not app.error
    return app


def test_the_empty_page_says_what_to_do(app):
    app.run().switch_page("pages/datasets.py").run()
    assert not app.exception
    assert "No dataset is registered yet" in texts(app)


def test_a_path_with_nothing_is_one_sentence(app, tmp_path):
    app.run().switch_page("pages/datasets.py").run()
    widget(app.text_input, "datasets-path").set_value(str(tmp_path / "nowhere")).run()
    assert len(app.error) == 1
    assert not app.exception


def test_adding_a_folder_registers_it_and_counts(app, folder):
    page = add(app, folder)
    dataset = registered()
    assert (dataset.n_images, dataset.n_unreadable, dataset.class_names) == (17, 1, ("LYMPHOCYTE", "NEUTROPHIL"))
    metrics = {one.label: one.value for one in page.metric}
    assert metrics["Images"] == "17"
    assert metrics["Unreadable"] == "1"


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens(page, view):
    look(page, view)


@pytest.mark.parametrize(("old", "new"), [("Copies", "Duplicates"), ("Pictures", "Images"), ("Splits", "Splits")])
def test_a_link_of_an_older_version_opens_its_view(page, old, new):
    other = new_app()
    other.run().switch_page("pages/datasets.py")
    other.query_params["datasets-view"] = old
    other.run()
    assert not other.exception
    assert widget(other.segmented_control, "datasets-view").value == new


def test_the_broken_file_is_named_with_its_reason(page):
    look(page, "Problems")
    (table,) = [one for one in page.dataframe if "Problem" in one.value.columns]
    assert table.value["File"].tolist() == ["NEUTROPHIL/broken.png"]


def test_patients_from_the_names_then_a_split_that_keeps_them_together(page):
    look(page, "Duplicates")
    widget(page.radio, "datasets-groups-how").set_value("Use the file names").run()
    widget(page.button, "datasets-take-names").click().run()
    assert not page.exception
    groups = read_stored_groups(registered())
    assert len(groups.sizes()) == 8
    assert set(groups.sizes()) == {2}
    look(page, "Splits")
    widget(page.number_input, "datasets-split-folds").set_value(2).run()
    widget(page.button, "datasets-split-go").click().run()
    assert not page.exception
    (file,) = list_stored_splits(registered()).values()
    split = read_split(file)
    assert not split.leaky
    assert (split.table.groupby("group")["split"].nunique() == 1).all()


def test_a_split_is_named_by_what_it_is_and_its_warnings_are_shown(page):
    look(page, "Duplicates")
    widget(page.radio, "datasets-groups-how").set_value("Use the file names").run()
    widget(page.button, "datasets-take-names").click().run()
    look(page, "Splits")
    for n_folds in (2, 5):
        widget(page.number_input, "datasets-split-folds").set_value(n_folds).run()
        widget(page.button, "datasets-split-go").click().run()
        assert not page.exception
        assert widget(page.selectbox, f"datasets-split-{registered().id}").value == f"{n_folds}-folds-seed-0"
    assert list(list_stored_splits(registered())) == ["2-folds-seed-0", "5-folds-seed-0"]
    assert any("has only 4 groups for 5 folds" in warning.value for warning in page.warning)


def test_a_split_of_single_images_must_be_confirmed_and_stays_marked(page):
    look(page, "Splits")
    assert "has no duplicate groups yet" in texts(page)
    assert not [one for one in page.button if one.key == "datasets-split-go"]
    widget(page.checkbox, "datasets-split-leaky").check().run()
    widget(page.button, "datasets-split-go").click().run()
    (file,) = list_stored_splits(registered()).values()
    assert read_split(file).leaky
    assert any("leaky" in error.value for error in page.error)


def test_duplicates_by_comparing_the_images(page):
    look(page, "Duplicates")
    widget(page.button, "datasets-find-copies").click().run(timeout=120)
    assert not page.exception
    assert len(read_stored_groups(registered()).group_of) == 16


def test_a_changed_folder_is_noticed_and_rescanned(app, folder, tmp_path):
    changed = shutil.copytree(folder, tmp_path / "set")
    page = add(app, changed)
    (changed / "NEUTROPHIL" / "broken.png").unlink()
    page.run()
    assert page.warning
    widget(page.button, "datasets-refresh").click().run()
    assert registered().n_images == 16
    assert not page.warning


def test_removing_leaves_the_images(page, folder):
    widget(page.button, "datasets-remove").click().run()
    assert not list_datasets(load_settings())
    assert (folder / "LYMPHOCYTE" / "C0_0.png").exists()


def test_cells_of_images_with_boxes_become_a_dataset(app, tmp_path):
    folder = tmp_path / "annotated"
    folder.mkdir()
    for seed in range(2):
        (folder / f"field {seed}.png").write_bytes(encode_png(draw_field(seed).rgb))
        (folder / f"field {seed}.txt").write_text("0 0.5 0.5 0.1 0.1\n1 0.2 0.2 0.1 0.1\n", encoding="utf-8")
    (folder / "classes.txt").write_text("WBC\nRBC\n", encoding="utf-8")
    app.run().switch_page("pages/datasets.py").run()
    widget(app.text_input, "datasets-path").set_value(str(folder)).run()
    assert not app.error
    assert any("2 images with 4 boxes (YOLO)" in caption.value for caption in app.caption)
    widget(app.button, "datasets-cut").click().run()
    assert not app.exception
    assert not app.error
    dataset = registered()
    assert (dataset.name, dataset.n_images, dataset.class_names) == ("annotated cells", 4, ("RBC", "WBC"))
    assert list((dataset.path).parent.glob(".new-*")) == []
