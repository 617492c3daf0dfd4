"""Text from outside (names of files and batches) for places where Streamlit reads Markdown."""

import re
from datetime import datetime

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!<>|~$:&])")


def plain(text: str) -> str:
    """Escape Markdown, so that a name shows as it is written; line breaks become spaces."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def local_time(utc: str) -> str:
    """Return an ISO time in UTC as local date and time, such as ``2026-01-31 11:00``; "" stays ""."""
    if not utc:
        return ""
    return datetime.fromisoformat(utc).astimezone().strftime("%Y-%m-%d %H:%M")


def counted(n: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 image``, ``2 images``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"
