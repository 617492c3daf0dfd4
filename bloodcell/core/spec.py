"""Settings kept as JSON: read into frozen dataclasses that refuse what they do not know."""

import json
from dataclasses import fields
from typing import Any

from bloodcell.core.errors import SpecError


def json_object(text: str) -> dict[str, Any]:
    """Read one JSON object; SpecError if it is none."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"The settings are not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise SpecError("The settings must be one JSON object.")
    return values


def build(kind: type, values: dict[str, Any]) -> Any:
    """Make a dataclass of settings, lists turned to tuples; SpecError names settings that do not exist."""
    known = [field.name for field in fields(kind)]
    unknown = sorted(values.keys() - set(known))
    if unknown:
        raise SpecError(f"Unknown settings {unknown}. Known: {known}.")
    try:
        return kind(**{name: _tuples(value) for name, value in values.items()})
    except TypeError as error:
        raise SpecError(f"This lacks a setting or has one of the wrong type: {error}.") from error


def require(is_right: bool, message: str) -> None:
    """Raise SpecError with `message` unless `is_right`."""
    if not is_right:
        raise SpecError(message)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
