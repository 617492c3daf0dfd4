"""Numbers as pages and reports write them."""

from bloodcell.reports.numbers import format_count


def test_a_count_agrees_with_its_noun():
    assert [format_count(n, "image") for n in (0, 1, 2000)] == ["0 images", "1 image", "2,000 images"]
    assert format_count(2, "box", "boxes") == "2 boxes"
