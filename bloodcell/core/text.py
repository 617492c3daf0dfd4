"""Text from outside, made fit for files and databases."""


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
