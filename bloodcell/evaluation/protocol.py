"""How an evaluation was made: model, images, what was left out, leaks, versions; stored in evaluation.json."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from bloodcell.evaluation.leak_check import LeakSummary

# What a field is called in files, where that is not what it is called here.
_STORED_NAMES: Final = {"excluded_labels": "left_out", "excluded_files": "left_out_marked"}
_OPTIONAL: Final = ("spec", "data_dir", "command", "members")  # not in every file


@dataclass(frozen=True)
class EnsembleMember:
    """A model of an ensemble.

    Attributes
    ----------
    model, model_sha256 : str
    """

    model: str
    model_sha256: str


@dataclass(frozen=True)
class EvaluationProtocol:
    """How an evaluation was made.

    Attributes
    ----------
    model, model_title, model_sha256 : str
    class_names : tuple of str
        The model's classes, in its order.
    temperature : float or None
        That the model divides its logits by; None for an ensemble.
    title : str
        What pages and reports call the evaluation.
    dataset, dataset_id, dataset_sha256 : str
        Name; id and content hash in the dataset library, "" where it is not registered.
    part : str
        Split and part, "" for all images.
    groups : str
        How source cells were told apart: ``"each"`` (every image one of its own), ``"pixels"``, or as the dataset says.
    spec, data_dir : dict and str, or None
        The evaluation spec of a job, and the folder that its paths start from.
    command : str or None
        The command that made the evaluation.
    path : str
        Where the images were read from.
    excluded_labels : dict of str to int
        Images of each label that the model does not know.
    excluded_files : tuple of str
        Files left out as label errors.
    leak : LeakSummary
        What the model has seen of the images.
    images_sha256 : str
        Over bytes, labels and source cells of the images: the same for models evaluated on the same set.
    images_per_s : float or None
    created : str
        UTC, ISO 8601.
    seconds : float
        The whole evaluation took.
    versions : dict of str to str
        Package to version.
    revision : str
        Commit of Bloodcell.
    members : tuple of EnsembleMember
        Of an ensemble; empty for a single model.
    missing : tuple of str
        What a file of an earlier version of Bloodcell did not hold.
    """

    model: str = ""
    model_title: str = ""
    model_sha256: str = ""
    class_names: tuple[str, ...] = ()
    temperature: float | None = None
    title: str = ""
    dataset: str = ""
    dataset_id: str = ""
    dataset_sha256: str = ""
    part: str = ""
    groups: str = ""
    spec: dict[str, Any] | None = None
    data_dir: str | None = None
    command: str | None = None
    path: str = ""
    excluded_labels: dict[str, int] = field(default_factory=dict)
    excluded_files: tuple[str, ...] = ()
    leak: LeakSummary = field(default_factory=lambda: LeakSummary(False, 0))
    images_sha256: str = ""
    images_per_s: float | None = None
    created: str = ""
    seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    revision: str = ""
    members: tuple[EnsembleMember, ...] = ()
    missing: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the protocol as JSON; `from_dict` reads it."""
        values: dict[str, Any] = {}
        for name, stored in _list_stored_fields():
            value = getattr(self, name)
            if stored not in self.missing and (value or name not in _OPTIONAL):
                values[stored] = list(value) if isinstance(value, tuple) else value
        if "leak" in values:
            values["leak"] = self.leak.to_dict()
        if self.members:
            values["members"] = [{"model": one.model, "model_sha256": one.model_sha256} for one in self.members]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EvaluationProtocol":
        """Read a protocol as `to_dict` writes it; what an earlier version did not write stands in `missing`."""
        known = {name: values[stored] for name, stored in _list_stored_fields() if stored in values}
        missing = [stored for name, stored in _list_stored_fields() if stored not in values and name not in _OPTIONAL]
        for name in ("class_names", "excluded_files"):
            if name in known:
                known[name] = tuple(known[name])
        if "leak" in known:
            known["leak"] = LeakSummary.from_dict(known["leak"])
        if "members" in known:
            known["members"] = tuple(EnsembleMember(one["model"], one["model_sha256"]) for one in known["members"])
        return cls(**known, missing=tuple(missing))


def _list_stored_fields() -> list[tuple[str, str]]:
    """List the name of each field, and what it is called in files."""
    names = [each.name for each in fields(EvaluationProtocol) if each.name != "missing"]
    return [(name, _STORED_NAMES.get(name, name)) for name in names]
