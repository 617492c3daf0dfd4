"""The labels to choose from with their keys, and the page of the open cell."""

from bloodcell.core.labels import WHITE_CELLS_4
from bloodcell.ui.classify.gallery import find_page, list_choices


def test_choices_number_the_classes_then_the_extra_decisions():
    assert [(choice.key, choice.title) for choice in list_choices(WHITE_CELLS_4)] == [
        ("1", "Eosinophil"),
        ("2", "Lymphocyte"),
        ("3", "Monocyte"),
        ("4", "Neutrophil"),
        ("5", "Other cell"),
        ("6", "Not a white cell"),
    ]


def test_the_tenth_choice_has_the_key_0_and_those_behind_it_none():
    assert [choice.key for choice in list_choices([f"C{n}" for n in range(9)])][-2:] == ["0", ""]


def test_page_of_the_chosen_cell(bench):  # two cells a page: 1 2 | 3
    assert find_page(bench) == (1, (1, 2))
    bench.chosen = 3
    assert find_page(bench) == (2, (3,))
    bench.chosen = None
    assert find_page(bench) == (1, (1, 2))
