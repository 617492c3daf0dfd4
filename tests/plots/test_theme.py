"""Styles of classes, and labels as people read them."""

import pytest

from bloodcell.plots import theme


@pytest.mark.parametrize("n_classes", [1, 2, 4, 8, 30])
def test_every_class_looks_different(n_classes):
    names = ["MONOCYTE", *(f"CLASS {number}" for number in range(n_classes - 1))]
    styles = theme.assign_class_styles(names)
    assert list(styles) == names
    assert len(set(styles.values())) == n_classes
    assert styles["MONOCYTE"].colour == theme.CLASS_COLOURS["MONOCYTE"]
    if n_classes <= 8:
        assert len({style.colour for style in styles.values()}) == n_classes


def test_names_hold_no_tags_in_charts():
    assert theme.format_chart_label("<A HREF='X'>Y") == "&lt;a href='x'&gt;y"
    assert len(theme.format_chart_label("A" * 500)) == theme.MAX_NAME_LENGTH


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("EOSINOPHIL", "Eosinophil"),
        ("OTHER", "Other cell"),
        ("NOT_A_CELL", "Not a white cell"),
        ("IMMATURE_CELL", "Immature cell"),
        ("IG", "IG"),
        ("ig", "IG"),
        ("Neu", "Neu"),
        ("BAND", "Band"),
        ("C_1", "C 1"),
        ("", "-"),
    ],
)
def test_label_words(label, words):
    assert theme.format_label(label) == words


def test_every_status_has_a_word_a_sign_and_a_colour_of_its_own():
    styles = theme.STATUS_STYLES.values()
    for part in ("word", "sign", "colour"):
        assert len({getattr(style, part) for style in styles}) == 3


def test_after_forty_classes_styles_repeat():
    styles = theme.assign_class_styles([f"CLASS {number}" for number in range(50)])
    assert len(set(styles.values())) == len(theme.PALETTE) * len(theme.DASHES) == 40


def test_a_class_without_a_colour_of_its_own_is_grey():
    assert theme.get_class_colour("BASOPHIL") == theme.CLASS_COLOURS["BASOPHIL"]
    assert theme.get_class_colour("BLAST") == theme.OTHER_COLOUR
