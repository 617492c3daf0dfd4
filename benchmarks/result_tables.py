"""Numbers and tables as docs/results.md shows them."""


def percent(value: float | None, digits: int = 1) -> str:
    return "none" if value is None else f"{100 * value:.{digits}f} %"


def format_with_interval(value: float, interval: list[float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def format_verdict(is_met: bool) -> str:
    return "met" if is_met else "**missed**"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows] + [""]
