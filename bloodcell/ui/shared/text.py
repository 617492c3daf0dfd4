"""Text from outside (names of files and batches) for places where Streamlit reads Markdown."""

import re
from datetime import datetime

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!<>|~$:&])")


def escape_md(text: str) -> str:
    """Escape Markdown, so that a name shows as it is written; line breaks become spaces."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def format_local_time(utc: str) -> str:
    """Return an ISO time in UTC as local date and time, such as ``2026-01-31 11:00``; "" stays ""."""
    if not utc:
        return ""
    return datetime.fromisoformat(utc).astimezone().strftime("%Y-%m-%d %H:%M")
