"""Text from outside in Markdown, and local times."""

import pytest

from bloodcell.ui.shared.messages import escape_md, format_local_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain name.jpg", r"plain name\.jpg"),
        ("two\nlines", "two lines"),
        ("<script>", r"\<script\>"),
        ("*a* $x$ :red[b]", r"\*a\* \$x\$ \:red\[b\]"),
    ],
)
def test_markdown_in_a_text_is_escaped(text, expected):
    assert escape_md(text) == expected


def test_local_time_of_nothing_is_nothing():
    assert format_local_time("") == ""
    assert len(format_local_time("2026-01-31T10:00:00Z")) == len("2026-01-31 10:00")
