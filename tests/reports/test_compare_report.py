"""The report on models against each other: leaks first, the same numbers as the comparison, disagreements, paper too."""

import html
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bloodcell.evaluation.compare import ALL_DISAGREEMENTS, compare_evaluations, find_disagreements
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.imaging.read import encode_jpeg
from bloodcell.reports.compare_report import ModelComparison, build_comparison_document
from bloodcell.reports.html_writer import write_html
from bloodcell.reports.pdf_writer import write_pdf
from tests.evaluation.made import NAMES, made_evaluation

JPEG = encode_jpeg(np.full((20, 20, 3), 200, np.uint8))


def leaderboard(evaluations):
    rows = []
    for one in evaluations:
        metrics = one.report.metrics
        row = {"model": one.protocol.model, "ece": metrics["ece"].value}
        for name in ("accuracy", "balanced_accuracy"):
            low, high = metrics[name].interval
            row |= {name: metrics[name].value, f"{name}_low": low, f"{name}_high": high}
        nothing = dict.fromkeys(("size_mb", "parameters", "training_s", "ms_per_image", "leaking_images"), float("nan"))
        rows.append(row | {"flagged_for_review": metrics["flagged_for_review"].value} | nothing)
    return pd.DataFrame(rows)


def content(evaluations, n_crops=3, jpeg=JPEG, problem=""):
    files = find_disagreements(evaluations)[ALL_DISAGREEMENTS]
    comparisons = [compare_evaluations(evaluations[0], other) for other in evaluations[1:]]
    crops = dict.fromkeys(files[:n_crops], jpeg)
    return ModelComparison(leaderboard(evaluations), evaluations, comparisons, len(files), crops, problem)


@pytest.fixture(scope="module")
def two():
    leaking = LeakSummary(True, 30, trained_on=4)
    return [
        made_evaluation(model="first", seed=1, leak=LeakSummary(True, 30)),
        made_evaluation(model="<b>second", seed=2, right=0.9, leak=leaking),
    ]


def body(document):
    text = write_html(document).decode()
    return text[text.index("<body>") :]


def test_leaks_stand_before_the_verdict_and_names_stay_names(two):
    found = content(two)
    text = body(build_comparison_document(found))
    verdict = html.escape(found.comparisons[0].pair_sentence)
    alert = html.escape(f"<b>second: {two[1].protocol.leak.describe()[0]}")
    assert text.index(alert) < text.index(verdict)
    assert text.count('role="alert"') == 1  # the first model leaks nothing
    assert "<b>second" not in text.replace("\\u003c", "<").replace("&lt;b&gt;", "")


def test_leaderboard_and_tests_have_the_numbers_of_the_comparison(two):
    found = content(two)
    text = body(build_comparison_document(found))
    accuracy = two[0].report.metrics["accuracy"]
    assert f'<td>first</td><td class="number">{100 * accuracy.value:.1f} %</td>' in text
    assert f"{accuracy.interval[0]:.3f} to {accuracy.interval[1]:.3f}" in text
    assert f"p = {found.comparisons[0].p_cells:.3g}" in text
    assert text.count("not known") == 2


def test_disagreements_are_shown_or_listed(two):
    found = content(two)
    n = found.n_disagreements
    text = body(build_comparison_document(found))
    assert f"The models disagree on {n} images. 3 of them are shown" in text
    assert text.count("data:image/jpeg;base64,") == 3
    listed = body(build_comparison_document(content(two, n_crops=n, jpeg=b"", problem="The dataset is gone.")))
    assert "All of them are shown" in listed
    assert "The dataset is gone." in listed
    assert "<img" not in listed
    same = [two[0], replace(two[0], protocol=replace(two[0].protocol, model="twin"))]
    assert "All models predict the same class for every image." in body(build_comparison_document(content(same)))


def test_models_of_other_classes_have_no_difference_of_matrices(two):
    assert 'id="difference-b"' in body(build_comparison_document(content(two)))
    names = tuple(reversed(NAMES))
    other = replace(two[1], protocol=replace(two[1].protocol, class_names=names))
    text = body(build_comparison_document(content([two[0], other])))
    assert 'id="matrix-b"' in text
    assert 'id="difference-b"' not in text


def test_the_same_report_can_be_printed(two):
    assert write_pdf(build_comparison_document(content(two))).startswith(b"%PDF-")
