"""Both writers of a document: every kind of block, escaped in HTML, and what is left out on paper."""

import re
import zlib

import numpy as np
import plotly.graph_objects as go
import pytest
from reportlab.graphics.shapes import Drawing, Rect

from bloodcell.imaging.read import encode_jpeg
from bloodcell.reports.document import (
    Alert,
    Chart,
    Code,
    Columns,
    Document,
    Facts,
    Heading,
    Images,
    Matrix,
    Paragraph,
    Section,
    Table,
    Thumbnail,
    format_cell,
)
from bloodcell.reports.html_writer import write_html
from bloodcell.reports.pdf_writer import WIDTH, write_pdf

JPEG = encode_jpeg(np.full((20, 20, 3), 200, np.uint8))
TAG = "<b>&"


def html_of(*blocks):
    text = write_html(Document("Title", "Lead", [Section("Section", blocks)])).decode()
    return text[text.index("</h2>") + 5 : text.index("</section>")]


def pdf_of(*blocks):
    pdf = write_pdf(Document("Title", "Lead", [Section("Section", blocks)], footer="Footer"))
    assert pdf.startswith(b"%PDF-")
    return pdf


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (Paragraph(TAG), "<p>&lt;b&gt;&amp;</p>"),
        (Paragraph("x", is_note=True), "<p class=note>x</p>"),
        (Alert(TAG), '<p class="warning" role="alert">&lt;b&gt;&amp;</p>'),
        (Alert("x", is_mild=True), '<p class="warning mild" role="alert">x</p>'),
        (Heading(TAG), "<h3>&lt;b&gt;&amp;</h3>"),
        (Code("a\n<b>"), "<pre>a\n&lt;b&gt;</pre>"),
        (Facts([("1,200", TAG)]), '<div class="facts"><div><b>1,200</b>&lt;b&gt;&amp;</div></div>'),
        (
            Table(("A", "B", "C"), [(TAG, 1200, "x")], n_grey=1),
            '<table><tr><th>A</th><th class="number">B</th><th class="number grey">C</th></tr>'
            '<tr><td>&lt;b&gt;&amp;</td><td class="number">1,200</td><td class="number grey">x</td></tr></table>',
        ),
        (
            Matrix("True / predicted", ["a"], ["b"], [["7"]], [[1.0]]),
            '<table><tr><th>True / predicted</th><th class="number">b</th></tr>'
            '<tr><td>a</td><td class="number">7</td></tr></table>',
        ),
        (
            Columns([[Heading("x")], [Heading("y")]]),
            '<div class="columns"><div><h3>x</h3></div><div><h3>y</h3></div></div>',
        ),
    ],
)
def test_blocks_as_html_by_hand(block, expected):
    assert html_of(block) == expected


def test_images_have_names_and_captions():
    text = html_of(Images([Thumbnail(JPEG, '"x', TAG), Thumbnail(JPEG, "y")], 6))
    assert "repeat(6,minmax(0,1fr))" in text
    assert text.count('<img src="data:image/jpeg;base64,') == 2
    assert 'alt="&quot;x" title="&quot;x"' in text
    assert text.count("<figcaption>&lt;b&gt;&amp;</figcaption>") == 1


def test_a_chart_is_a_figure_on_screens():
    text = html_of(Chart("my-chart", lambda: go.Figure(go.Bar(x=[1], y=[2]))))
    assert 'id="my-chart"' in text
    assert '"filename": "my-chart"' in text
    assert "https://cdn" not in text


def test_sections_are_linked_and_the_page_fetches_nothing():
    text = write_html(Document(TAG, TAG, [Section("One", []), Section(TAG, [])])).decode()
    assert '<a href="#part-0">One</a><a href="#part-1">&lt;b&gt;&amp;</a>' in text
    assert "<title>&lt;b&gt;&amp;</title>" in text
    assert "default-src &#x27;none&#x27;" in text


def test_whole_numbers_have_separators():
    assert [format_cell(value) for value in (1234567, 0, "1234567")] == ["1,234,567", "0", "1234567"]


def test_drawings_stand_side_by_side_on_paper():
    widths = []

    def draw(width):
        widths.append(width)
        drawing = Drawing(width, 20)
        drawing.add(Rect(0, 0, width, 20))
        return drawing

    chart = Chart("a", go.Figure, draw)
    pdf_of(chart)
    assert widths == [WIDTH]
    widths.clear()
    pdf_of(Columns([[chart, Paragraph("x", is_note=True)], [chart]]))
    assert widths == [WIDTH / 2 - 12] * 2


def test_charts_for_screens_alone_are_left_out_on_paper_with_their_headings():
    plain = Chart("a", go.Figure)
    empty, shown = (len(pdf_of(*blocks)) for blocks in ([], [Columns([[Heading("A long heading"), plain]]), plain]))
    assert abs(empty - shown) < 40


def test_every_block_is_written_on_paper():
    matrix = Matrix("True / predicted", ["a", "b"], ["a", "b"], [["1", "2"], ["3", "4"]], [[0, 1], [0.2, 1.5]])
    pdf = pdf_of(
        Paragraph(TAG),
        Paragraph("note", is_note=True),
        Alert(TAG),
        Alert("mild", is_mild=True),
        Heading("</para>"),
        Code("a\n\tb" + "x" * 400),
        Facts([("1", "image"), ("2", "cells")]),
        Table(("A", "B"), [("x" * 2000, 1)] * 90, n_grey=1),
        Table(("A", "B"), [("0.1 to 0.2", "0.1 to 0.2")], widths=(0.2, 0.8)),
        matrix,
        Columns([[Heading("x"), Chart("a", go.Figure, matrix)], [Table(("A",), [("y",)])]]),
        Images([Thumbnail(JPEG, "x", TAG)] * 5, 4),
    )
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)) > 5
    assert pdf.count(b"/Subtype /Image") >= 1


def test_the_font_of_the_pdf_says_what_it_lacks():
    plain = write_pdf(Document("A", "B", [Section("C", [Paragraph("abc")])]))
    lacking = write_pdf(Document("A", "B", [Section("C", [Paragraph("Ж淋")])]))
    assert len(lacking) > len(plain)  # one note more
    assert zlib.crc32(plain) != zlib.crc32(lacking)
