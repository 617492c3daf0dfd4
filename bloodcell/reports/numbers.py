"""Numbers as pages and reports write them."""

import math

from bloodcell.core.text import inflect_noun


def format_count(n: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    Parameters
    ----------
    n : int
    noun : str
    plural : str, optional
        `noun` with an s by default.

    Examples
    --------
    >>> format_count(1, "image"), format_count(1200, "image"), format_count(2, "class", "classes")
    ('1 image', '1,200 images', '2 classes')
    """
    return f"{n:,} {inflect_noun(n, noun, plural)}"


def format_number(value: float | None) -> str:
    """Return a metric with three digits; ``-`` where it is undefined: None or NaN."""
    return "-" if value is None or math.isnan(value) else f"{value:.3f}"


def format_interval(interval: tuple[float, float] | None) -> str:
    """Return an interval with three digits; "" where there is none.

    Examples
    --------
    >>> format_interval((0.91, 0.9876))
    '0.910 to 0.988'
    """
    return f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""


def format_percent(share: float | None) -> str:
    """Return a share in percent with one digit; ``-`` where it is undefined: None or NaN.

    Examples
    --------
    >>> format_percent(0.975)
    '97.5 %'
    """
    return "-" if share is None or math.isnan(share) else f"{100 * share:.1f} %"
