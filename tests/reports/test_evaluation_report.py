"""The report on an evaluation as HTML and PDF: leaks first, the same numbers, hostile names, missing images."""

import html
import re
from dataclasses import replace

import numpy as np
import pytest

from bloodcell.core.errors import RunError
from bloodcell.evaluation.confident_errors import WrongPrediction, WrongPredictions
from bloodcell.evaluation.leak_check import LeakSummary
from bloodcell.evaluation.protocol import EvaluationProtocol
from bloodcell.imaging.read import encode_jpeg
from bloodcell.reports import evaluation_words as words
from bloodcell.reports.evaluation_report import EvaluationContent, build_evaluation_document
from bloodcell.reports.html_writer import write_html
from bloodcell.reports.pdf_writer import lacks_letters, make_printable, write_pdf
from tests.cli.datasets.test_explore import Tags
from tests.evaluation.made import made_evaluation

HOSTILE = (
    "<script>alert(1)</script>",
    "=HYPERLINK(1)&<img src=http://x.y/z>",
    "Лимфоцит 淋巴细胞 \x07\x1b",
    "x" * 300,
    "</para><font color='red'>",
)
JPEG = encode_jpeg(np.full((20, 20, 3), 200, np.uint8))
CLEAN, LEAKING, UNKNOWN = LeakSummary(True, 30), LeakSummary(True, 30, trained_on=4), LeakSummary(False, 30)


def judged(evaluation, n=3, jpeg=JPEG, problem=""):
    table = evaluation.prediction_table[
        evaluation.prediction_table["label"] != evaluation.prediction_table["prediction"]
    ]
    rows = list(table.itertuples())[:n]
    wrong = tuple(WrongPrediction(one.file, one.label, one.prediction, 0.9, jpeg) for one in rows)
    return EvaluationContent(evaluation, WrongPredictions(len(table), wrong, problem))


def render_evaluation_html(content):
    return write_html(build_evaluation_document(content))


def render_evaluation_pdf(content):
    return write_pdf(build_evaluation_document(content))


def n_pages(pdf):
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf))


@pytest.mark.parametrize(("leak", "box"), [(CLEAN, None), (LEAKING, "warning"), (UNKNOWN, "warning mild")])
def test_leaks_stand_before_any_figure(leak, box):
    text = render_evaluation_html(judged(made_evaluation(leak=leak))).decode()
    body = text[text.index("<body>") :]
    assert body.index(html.escape(leak.describe()[0])) < body.index("balanced accuracy")
    boxes = re.findall(r'<p class="(warning[ a-z]*)"', body)
    assert boxes == ([box] if box else [])


def test_the_numbers_are_those_of_the_evaluation():
    found = made_evaluation()
    text = render_evaluation_html(judged(found)).decode()
    accuracy = found.report.metrics["accuracy"]
    low, high = accuracy.interval
    assert f'<td>Accuracy</td><td class="number">{accuracy.value:.3f}</td>' in text
    assert f"{low:.3f} to {high:.3f}" in text
    assert "15</b>source cells" in text
    assert "Every image was counted as a cell of its own." in text
    for value in ("a" * 64, "b" * 64, "c" * 40):
        assert value in text
    rows = {row[0]: row[1:3] for row in words.format_status_rows(found.to_predictions())}
    assert sum(n for n, _ in rows.values()) == 30
    assert rows["No prediction"] == (1, 1)


def test_it_fetches_nothing_and_names_stay_names():
    files = [f"{HOSTILE[row % len(HOSTILE)]}{row}" for row in range(30)]
    found = made_evaluation(names=HOSTILE, files=files, title=HOSTILE[0], dataset=HOSTILE[1], model=HOSTILE[2])
    data = render_evaluation_html(judged(found, 20, problem=HOSTILE[4]))
    tags = Tags()
    tags.feed(data.decode())
    links = [attrs[name] for _, attrs in tags.found for name in ("src", "href") if name in attrs]
    assert links
    assert all(link.startswith(("data:image/jpeg;base64,", "#part-")) for link in links)
    assert {tag for tag, _ in tags.found} & {"link", "iframe", "object", "form", "para", "font"} == set()
    assert not [attrs for _, attrs in tags.found for name in attrs if name.startswith("on")]
    assert next(attrs["content"] for _, attrs in tags.found if attrs.get("http-equiv")).startswith("default-src 'none'")
    assert "Лимфоцит" in data.decode()
    # Plotly reads tags in its texts: they must be escaped there once more.
    assert "<img src=http" not in data.decode().lower().replace("\\u003c", "<").replace("\\u003e", ">")
    pdf = render_evaluation_pdf(judged(found, 20, problem=HOSTILE[4]))
    assert n_pages(pdf) >= 3
    assert b"/URI" not in pdf


def test_a_pdf_with_its_own_fonts():
    found = made_evaluation()
    pdf = render_evaluation_pdf(judged(found))
    assert n_pages(pdf) >= 2
    assert pdf.count(b"/FontFile2") >= 2
    assert n_pages(render_evaluation_pdf(judged(found, 0))) >= 2


@pytest.mark.parametrize("write", [render_evaluation_html, render_evaluation_pdf])
def test_many_classes_all_right_and_nothing_answered(write):
    many = made_evaluation(60, [f"CLASS {number}" for number in range(14)])
    assert write(judged(many))
    right = made_evaluation(right=1.1)
    right = replace(right, prediction_table=right.prediction_table.assign(prediction=right.prediction_table["label"]))
    assert write(judged(right))
    nothing = made_evaluation()
    predictions = nothing.prediction_table.assign(
        prediction="", status="", **{f"prob_{name}": 0.0 for name in nothing.class_names}
    )
    assert write(judged(replace(nothing, prediction_table=predictions)))


def test_missing_images_are_said_and_the_errors_listed():
    found = judged(made_evaluation(), jpeg=b"", problem="The images cannot be shown: the dataset is gone.")
    text = render_evaluation_html(found).decode()
    assert "The images cannot be shown: the dataset is gone." in text
    assert "<img" not in text[text.index("<body>") :]
    for one in found.wrong.most_confident:
        assert f"<td>{one.file}</td><td>{words.describe_wrong_prediction(one)}</td>" in text
    assert n_pages(render_evaluation_pdf(found)) >= 2


def test_how_to_repeat_it():
    by_command = {"command": "bloodcell evaluate net 'a b' --out report"}
    said, command, spec = words.describe_reproduction(made_evaluation(**by_command).protocol)
    assert (command, spec) == (by_command["command"], "")
    asked = {"spec": {"name": "mine", "model": "net"}, "data_dir": "/some where"}
    said, command, spec = words.describe_reproduction(made_evaluation(**asked, left_out_marked=["1.png"]).protocol)
    assert command == "bloodcell jobs submit spec.json --kind evaluate --data '/some where'"
    assert '"name": "mine"' in spec
    assert "1 image marked" in said
    members = [{"model": "a", "model_sha256": "1"}, {"model": "b", "model_sha256": "2"}]
    said, command, spec = words.describe_reproduction(made_evaluation(members=members, **asked).protocol)
    assert (command, spec) == ("", "")
    assert "a, b" in said
    assert words.describe_reproduction(made_evaluation().protocol) == (
        "The settings of this evaluation were not stored.",
        "",
        "",
    )


def test_an_evaluation_of_an_earlier_version():
    found = made_evaluation()
    stored = found.protocol.to_dict()
    del stored["leak"]
    found = replace(found, protocol=EvaluationProtocol.from_dict(stored))
    assert found.protocol.to_dict() == stored
    with pytest.raises(RunError, match="earlier version of Bloodcell and lacks leak"):
        judged(found)


def test_letters_that_the_font_lacks():
    assert make_printable("a\tb\n c\x00Ж") == "a b c??"
    assert make_printable("x" * 700).endswith("...")
    assert lacks_letters(["aé", "Ж"])
    assert not lacks_letters(["aé µ", "a\nb"])
