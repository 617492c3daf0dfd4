"""Creating a dataset from the reviewed cells of a batch, on the Classify page."""

import pytest

from bloodcell.core.settings import load_settings
from bloodcell.datasets.catalog.library import list_datasets
from bloodcell.review.corrections import add_correction
from bloodcell.review.tables import read_cells_table
from tests.pages.test_pages import database, texts, widget


@pytest.fixture
def offer(filled):
    """The page with the sample set and the offer opened; no cell is reviewed."""
    filled.session_state["classify-cell-set"] = True
    filled.run()
    assert not filled.exception
    return filled


def review(workspace, *labels):
    """Review the first cells of the batch."""
    db = database(workspace)
    for cell_id, label in zip(read_cells_table(db, 1)["cell_id"], labels, strict=False):
        add_correction(db, int(cell_id), label, "Ada")


def test_without_a_review_it_says_what_is_missing(offer):
    assert "No cell of this batch is reviewed yet" in texts(offer)
    assert not [one for one in offer.button if one.key == "classify-make-cell-set"]


def test_a_closed_offer_asks_nothing(filled, workspace):
    review(workspace, "MONOCYTE")
    filled.run()
    assert not [one for one in filled.button if one.key == "classify-make-cell-set"]


def test_what_will_be_included_is_shown_and_then_created(offer, workspace):
    review(workspace, "MONOCYTE", "MONOCYTE", "EOSINOPHIL", "NOT_A_CELL")
    offer.run()
    assert "3 reviewed cells** in 2 classes" in texts(offer)
    (shown,) = [one.value for one in offer.dataframe if list(one.value.columns) == ["Class", "Cells"]]
    assert shown.to_numpy().tolist() == [["Monocyte", 2], ["Eosinophil", 1]]
    widget(offer.text_input, "classify-cell-set-name-1").set_value("My cells").run()
    widget(offer.button, "classify-make-cell-set").click().run()
    assert not offer.exception
    assert not offer.error
    (dataset,) = list_datasets(load_settings())
    assert (dataset.name, dataset.n_images) == ("My cells", 3)
    assert "My cells was created with 3 cells" in offer.success[0].value.replace("\\", "")
    link = next(one for one in offer.get("page_link") if one.proto.label == "Open it on the Datasets page")
    assert "My cells" in link.proto.query_string.replace("+", " ").replace("%20", " ")


def test_other_labels_are_included_when_asked_for(offer, workspace):
    review(workspace, "MONOCYTE", "NOT_A_CELL")
    offer.run()
    widget(offer.toggle, "classify-cell-set-extra-1").set_value(True).run()
    widget(offer.button, "classify-make-cell-set").click().run()
    (dataset,) = list_datasets(load_settings())
    assert dataset.class_names == ("MONOCYTE", "NOT_A_CELL")


def test_only_other_labels_leave_nothing_to_create(offer, workspace):
    review(workspace, "OTHER")
    offer.run()
    assert "0 reviewed cells" in texts(offer)
    assert not [one for one in offer.button if one.key == "classify-make-cell-set"]


def test_a_name_already_taken_is_refused_in_one_sentence(offer, workspace):
    review(workspace, "MONOCYTE")
    offer.run()
    widget(offer.button, "classify-make-cell-set").click().run()
    widget(offer.button, "classify-make-cell-set").click().run()
    assert "There already is a dataset 'Sample set'" in offer.error[0].value.replace("\\", "")
    assert len(list_datasets(load_settings())) == 1


def test_the_address_opens_the_dataset_that_was_made(offer, workspace):
    review(workspace, "MONOCYTE", "EOSINOPHIL")
    offer.run()
    for name in ("A first one", "The second"):
        widget(offer.text_input, "classify-cell-set-name-1").set_value(name).run()
        widget(offer.button, "classify-make-cell-set").click().run()
    offer.query_params["datasets-choice"] = "The second"
    offer.switch_page("pages/datasets.py").run()
    assert not offer.exception
    chosen = widget(offer.selectbox, "datasets-choice").value
    assert chosen == next(one.id for one in list_datasets(load_settings()) if one.name == "The second")
