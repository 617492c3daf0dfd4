"""Events that a component sends (`outbox.js`): each is taken once, in order, and acknowledged by its number."""

from typing import Any, Protocol

MAX_EVENTS = 500  # of one list; the component sends the rest again


class Inbox(Protocol):
    """Where events arrive, in one browser session.

    Attributes
    ----------
    session : str
        Random name; events that a browser sends for another one are ignored.
    client : str
        The component that sent the last events.
    acknowledged : int
        Number of the last event of `client` that was taken.
    """

    session: str
    client: str
    acknowledged: int


def take_new_events(inbox: Inbox, sent: list[Any], kinds: tuple[str, ...]) -> list[dict[str, Any]]:
    """Take the events that were not taken before; malformed ones are skipped.

    Parameters
    ----------
    inbox : Inbox
        `client` and `acknowledged` are updated.
    sent : list
        Not checked, and with events that were taken before.
    kinds : tuple of str
        What an event's "kind" may be.

    Returns
    -------
    list of dict
        Each with an int "number" and one of `kinds` as "kind"; all else in it is not checked.
    """
    events = []
    for raw in sent[:MAX_EVENTS]:
        if not isinstance(raw, dict) or raw.get("session") != inbox.session or raw.get("kind") not in kinds:
            continue
        number, client = read_int(raw.get("number")), str(raw.get("client"))
        if client != inbox.client:
            inbox.client, inbox.acknowledged = client, 0
        if number is None or number <= inbox.acknowledged:
            continue
        inbox.acknowledged = number
        events.append(raw)
    return events


def read_int(value: Any) -> int | None:
    """Return a whole number as it is, None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None
