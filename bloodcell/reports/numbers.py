"""Numbers as pages and reports write them."""


def format_count(n: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 image``, ``2 images``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def format_number(value: float | None) -> str:
    """A figure with three digits; ``-`` where it cannot be had."""
    return "-" if value is None else f"{value:.3f}"


def format_interval(interval: list[float] | None) -> str:
    """An interval with three digits; "" where there is none."""
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""


def format_percent(share: float | None) -> str:
    """A share in percent; ``-`` where it cannot be had."""
    return "-" if share is None else f"{100 * share:.1f} %"
