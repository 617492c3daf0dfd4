"""The time now, as the workspace writes it down."""

from datetime import UTC, datetime


def now_utc() -> str:
    """Return the time now in UTC as ISO text with seconds, such as ``2026-01-31T10:00:00Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
