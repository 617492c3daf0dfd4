"""The lines that a command prints at its end."""

from bloodcell.cli.shared import summary


def test_long_lists_are_cut():
    names = [f"{number}.jpg" for number in range(12)]
    assert summary.format_names("unreadable", names) == [f"  unreadable (12): {', '.join(names[:10])} and 2 more"]
    assert summary.format_names("unreadable", []) == []
