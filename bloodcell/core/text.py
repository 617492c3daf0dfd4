"""Text: made fit for files and databases where it comes from outside; nouns after numbers."""

import re


def clean_text(text: str) -> str:
    r"""Replace what a database or a UTF-8 file refuses: NUL, and the bytes of a file name that are not UTF-8.

    Examples
    --------
    >>> clean_text("slide 1.png")
    'slide 1.png'
    >>> clean_text("caf\udce9.png")
    'caf?.png'
    """
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


def inflect_noun(n: float, noun: str, plural: str = "") -> str:
    """Return the form of a noun that follows the number `n`.

    Parameters
    ----------
    n : float
    noun : str
    plural : str, optional
        `noun` with an s by default.

    Examples
    --------
    >>> inflect_noun(1, "image"), inflect_noun(0, "image"), inflect_noun(2, "class", "classes")
    ('image', 'images', 'classes')
    """
    return noun if n == 1 else plural or f"{noun}s"


def make_folder_name(label: str) -> str:
    """Make the name of a folder from a class; two classes may share one.

    Examples
    --------
    >>> make_folder_name("Immature / other")
    'Immature_other'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "_", label)[:80] or "_"
