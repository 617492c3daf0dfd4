"""The base of all specs: settings as frozen dataclasses that are stored as JSON and refuse what they do not know."""

import functools
import json
import numbers
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from bloodcell.core.errors import SpecError
from bloodcell.core.io import write_atomic

_TYPE_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


class Spec:
    """Settings that are stored as JSON; a subclass is a frozen dataclass, its field types are the first rules.

    A field may be bool, int, float, str, a Literal of words, a Spec, a tuple of these, or a union of them. Lists become
    tuples and objects become specs, so that JSON can be given as it is. A subclass with rules of its own checks them in
    ``__post_init__`` after ``super().__post_init__()``, by `require`.

    Attributes
    ----------
    NOUN : str
        What people call such settings, for errors: ``"training spec"``.

    Raises
    ------
    SpecError
        On creation, if a value has another type or is none of the allowed words.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class GridSpec(Spec):
    ...     NOUN: ClassVar[str] = "grid spec"
    ...     rows: int
    ...     order: Literal["by row", "by column"] = "by row"
    >>> spec = GridSpec.from_json('{"rows": 3}')
    >>> spec.to_dict()
    {'rows': 3, 'order': 'by row'}
    >>> GridSpec.from_dict({"rows": 3, "colour": "red"})
    Traceback (most recent call last):
    bloodcell.core.errors.SpecError: Unknown settings ['colour'] in a grid spec. Known: ['rows', 'order'].
    """

    NOUN: ClassVar[str] = "spec"

    def __post_init__(self) -> None:
        """Bring every value to the type of its field, or say what was allowed and what came."""
        hints = _find_hints(type(self))  # type: ignore[arg-type]
        for field in fields(self):  # type: ignore[arg-type]  # subclasses are dataclasses
            object.__setattr__(self, field.name, _fit(getattr(self, field.name), hints[field.name], f"`{field.name}`"))

    @classmethod
    def upgrade(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Return settings as an older version wrote them under the names of today; by default as they are."""
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a spec from settings by name.

        Parameters
        ----------
        values : mapping
            As JSON has them; names of older versions go through `upgrade`.

        Raises
        ------
        SpecError
            If a setting does not exist, is missing, or breaks a rule.
        """
        values = cls.upgrade(dict(values))
        known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(values.keys() - known.keys())
        require(not unknown, f"Unknown settings {unknown} in a {cls.NOUN}. Known: {list(known)}.")
        missing = [
            name
            for name, field in known.items()
            if name not in values and field.default is MISSING and field.default_factory is MISSING
        ]
        require(not missing, f"This {cls.NOUN} lacks the settings {missing}.")
        return cls(**values)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Make a spec from one JSON object; errors as for `from_dict`."""
        return cls.from_dict(parse_json_object(text))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a spec from a JSON file; SpecError also where the file cannot be read."""
        return cls.from_json(read_spec_text(path, cls.NOUN))

    def to_dict(self) -> dict[str, Any]:
        """Return the settings by name as JSON has them: specs as dicts, tuples as lists; the inverse of `from_dict`."""
        return {field.name: _to_plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]

    def to_json(self) -> str:
        """Return the spec as JSON; the inverse of `from_json`."""
        return json.dumps(self.to_dict(), indent=2)

    def write(self, path: Path) -> None:
        """Write the spec to a JSON file, whole or not at all."""
        write_atomic(path, self.to_json().encode())


def read_spec_text(path: Path, noun: str = Spec.NOUN) -> str:
    """Read the text of a file with a spec; SpecError, which calls it `noun`, where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise SpecError(f"The {noun} {path} cannot be read: {reason}.") from error


def parse_json_object(text: str) -> dict[str, Any]:
    """Read one JSON object.

    Raises
    ------
    SpecError
        If the text is not JSON, or JSON of something other than an object.

    Examples
    --------
    >>> parse_json_object('{"epochs": 3}')
    {'epochs': 3}
    """
    try:
        values = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise SpecError(f"The settings are not valid JSON: {error}.") from error
    if not isinstance(values, dict):
        raise SpecError("The settings must be one JSON object.")
    return values


def require(condition: bool, message: str) -> None:
    """Raise SpecError with `message` unless `condition` holds."""
    if not condition:
        raise SpecError(message)


def require_range(spec: Spec, low: float, high: float, *names: str) -> None:
    """Raise SpecError unless each named setting is from `low` to `high`, both included."""
    for name in names:
        value = getattr(spec, name)
        limit = f"{low:g} or more" if high == float("inf") else f"from {low:g} to {high:g}"
        require(low <= value <= high, f"`{name}` must be {limit}. Received: {value}.")


def require_unique(what: str, names: tuple[str, ...]) -> None:
    """Raise SpecError if a name occurs twice; `what` begins the sentence, in the plural."""
    require(len(set(names)) == len(names), f"{what} occur twice. Received: {names}.")


@functools.cache
def _find_hints(kind: type[Spec]) -> dict[str, Any]:
    return get_type_hints(kind)


def _fit(value: Any, hint: Any, name: str) -> Any:
    """Bring one value to the type `hint`; SpecError, which calls it `name`, where it does not fit."""
    origin = get_origin(hint)
    if hint is Any:
        return tuple(_fit(item, Any, name) for item in value) if isinstance(value, list | tuple) else value
    if origin is Literal:
        allowed = get_args(hint)
        is_allowed = any(value == word and type(value) is type(word) for word in allowed)
        require(is_allowed, f"{name} must be one of {allowed}. Received: {value!r}.")
        return value
    if origin in (Union, types.UnionType):
        return _fit_any(value, get_args(hint), name)
    if origin is tuple:
        return _fit_tuple(value, get_args(hint), name)
    if isinstance(hint, type) and issubclass(hint, Spec):
        if isinstance(value, hint):
            return value
        require(isinstance(value, Mapping), f"{name} must be an object with settings. Received: {value!r}.")
        return hint.from_dict(value)
    return _fit_plain(value, hint, name)


def _fit_plain(value: Any, hint: type, name: str) -> Any:
    wanted = {int: numbers.Integral, float: numbers.Real}.get(hint, hint)
    fits = isinstance(value, wanted) and (hint is bool or not isinstance(value, bool))
    require(fits, f"{name} must be {_TYPE_NAMES.get(hint, hint.__name__)}. Received: {value!r}.")
    # JSON knows no integers of NumPy; a whole number where a float is allowed stays as it was written.
    return int(value) if isinstance(value, numbers.Integral) and not isinstance(value, bool) else value


def _fit_any(value: Any, hints: tuple[Any, ...], name: str) -> Any:
    """Fit one of several types: an object to the spec that shares most of its settings, other values to the first."""
    if value is None and type(None) in hints:
        return None
    hints = tuple(hint for hint in hints if hint is not type(None))
    if isinstance(value, Mapping):
        return _fit(value, max(hints, key=lambda hint: len(value.keys() & _find_hints(hint).keys())), name)
    for hint in hints[:-1]:
        try:
            return _fit(value, hint, name)
        except SpecError:
            continue
    return _fit(value, hints[-1], name)


def _to_plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_dict()
    return [_to_plain(item) for item in value] if isinstance(value, tuple) else value


def _fit_tuple(value: Any, hints: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    require(isinstance(value, list | tuple), f"{name} must be a list. Received: {value!r}.")
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(value)
    require(len(value) == len(hints), f"{name} must be a list of {len(hints)}. Received: {value!r}.")
    entry = name if name.startswith("An entry") else f"An entry of {name}"
    return tuple(_fit(item, hint, entry) for item, hint in zip(value, hints, strict=True))
