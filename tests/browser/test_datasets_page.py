"""The Datasets page in a real browser: a folder by its path, every view, copies, a leak, a split, and stopping."""

import numpy as np
import pytest

from bloodcell.core.settings import Settings
from bloodcell.datasets.catalog.groups_and_splits import read_stored_groups
from bloodcell.datasets.catalog.library import get_dataset, register_dataset
from bloodcell.datasets.labels.recognition import recognise_layout
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field
from tests.browser.driving import WAIT_MS, download, settle, watch
from tests.datasets.made import in_folder, png

pytestmark = pytest.mark.browser

VIEWS = {  # view -> words that only this view shows
    "Images": "Reshuffle",
    "Gray levels": "Try a threshold",
    "Segmentation": "Side by side",
    "Duplicates": "Cells shared between sets",
    "Splits": "Create a split",
    "Problems": "Files with problems",
    "Overview": "Size on disk",
}
CELLS = 5


@pytest.fixture
def folder(tmp_path):
    """In train five cells a class, each with a turned copy; in test a copy of the first of them and a new cell."""
    files = {}
    for number, label in enumerate(("LYMPHOCYTE", "NEUTROPHIL")):
        for cell in range(CELLS + 1):
            rgb = draw_field(10 * number + cell, 1, 160, 160, scale=0.6, class_names=[label], n_platelets=0).rgb
            turned = [np.ascontiguousarray(np.rot90(rgb, turns)) for turns in range(3)]
            if cell < CELLS:
                files |= {f"train/{label}/{cell}_{copy}.png": encode_png(turned[copy]) for copy in (0, 1)}
            if cell in (0, CELLS):
                files[f"test/{label}/{cell}_2.png"] = encode_png(turned[2])
    return in_folder(tmp_path, files)


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield context.new_page()
    context.close()


def look(page, view):
    page.get_by_role("radio", name=view, exact=True).click()
    page.get_by_text(VIEWS[view]).first.wait_for(timeout=WAIT_MS)
    settle(page)


def type_path(page, path):
    box = page.get_by_role("textbox", name="Folder or zip on this computer")
    box.fill(str(path))
    box.press("Enter")


def test_from_a_folder_to_a_split_that_can_be_trusted(server, page, folder):
    seen = watch(page, server)
    page.goto(f"{server.url}/datasets")
    page.get_by_text("No dataset is registered yet").wait_for(timeout=WAIT_MS)
    type_path(page, folder / "nowhere")
    page.get_by_test_id("stAlertContentError").wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.get_by_test_id("stAlertContentError").count() == 1
    type_path(page, folder)
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("24 images, 2 classes").wait_for(timeout=WAIT_MS)
    settle(page)
    for view in VIEWS:
        look(page, view)
        assert page.get_by_test_id("stAlertContentError").count() == 0
        assert page.get_by_test_id("stException").count() == 0

    look(page, "Duplicates")
    page.get_by_role("button", name="Find duplicates").click()
    page.get_by_text("Groups of one image").wait_for(timeout=WAIT_MS)
    settle(page)
    groups = read_stored_groups(get_dataset("set", Settings(home=server.home, db_url="sqlite://")))
    assert sorted(groups.sizes()) == [1, 1, *[2] * 8, 3, 3]
    page.get_by_role("button", name="Find shared cells").click()
    page.get_by_text("2 of 4 images (50.0%)").wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.locator("figcaption", has_text="test: Lymphocyte").count() == 1

    look(page, "Splits")
    page.get_by_role("spinbutton", name="Folds").fill("2")
    page.get_by_role("spinbutton", name="Folds").press("Enter")
    settle(page)
    page.get_by_role("button", name="Create split", exact=True).click()
    page.get_by_text("Saved splits").wait_for(timeout=WAIT_MS)
    settle(page)
    header, *rows = download(page, "Download split (CSV)")
    assert header[:4] == ["file", "group", "label", "split"]
    assert len(rows) == 24
    assert {file.split("/")[0] for file, _, _, part, *_ in rows if part == "test"} == {"test"}
    parts = {}
    for _, group, _, part, *_ in rows:
        parts.setdefault(group, set()).add(part)
    used = [found - {"excluded"} for found in parts.values()]
    assert {len(found) for found in used} == {1}
    assert set().union(*used) == {"fold0", "fold1", "test"}

    page.reload()
    page.get_by_text("Saved splits").wait_for(timeout=WAIT_MS)
    settle(page)
    assert download(page, "Download split (CSV)") == [header, *rows]
    look(page, "Duplicates")
    page.get_by_text("2 of 4 images (50.0%)").wait_for(timeout=WAIT_MS)
    # Streamlit asks below an address with a page's name before it asks at the root.
    assert [one for one in seen if "404" not in one] == []


def test_stopping_a_search_keeps_nothing(server, page, tmp_path):
    settings = Settings(home=server.home, db_url="sqlite://")
    noise = in_folder(tmp_path, {f"{'AB'[seed % 2]}/{seed}.png": png(seed, 200, 200) for seed in range(60)})
    dataset = register_dataset("noise", noise, recognise_layout(noise).choice, settings)
    page.goto(f"{server.url}/datasets?datasets-view=Duplicates")
    page.get_by_role("button", name="Find duplicates").click(timeout=WAIT_MS)
    page.get_by_role("button", name="Stop").click(timeout=WAIT_MS)
    page.get_by_text("Stopped: comparing images. Nothing was saved.").wait_for(timeout=WAIT_MS)
    settle(page)
    assert page.get_by_role("button", name="Stop").count() == 0
    assert read_stored_groups(dataset) is None
