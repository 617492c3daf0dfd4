"""The report of an evaluation: every metric with its intervals, as it is stored in evaluation.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

# What a metric is called in files, where that is not what it is called here.
_STORED_METRICS: Final = {
    "confident_accuracy": "confident_right",
    "flagged_for_review": "held_back",
    "errors_flagged": "wrong_not_confident",
}
_METRIC_OF_STORED: Final = {stored: name for name, stored in _STORED_METRICS.items()}
CLASS_METRICS: Final = ("precision", "recall", "f1", "roc_auc", "average_precision")


@dataclass(frozen=True)
class Metric:
    """A metric with its 95 % bootstrap intervals.

    Attributes
    ----------
    value : float or None
        None where it is undefined: the recall of a class without an image, say.
    interval : tuple of two floats, or None
        Low and high when whole source cells are drawn.
    image_interval : tuple of two floats, or None
        Low and high when single images are drawn, as if each showed a cell of its own.
    """

    value: float | None
    interval: tuple[float, float] | None = None
    image_interval: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the metric as JSON; `from_dict` reads it."""
        return {
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "plain_interval": None if self.image_interval is None else list(self.image_interval),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Metric":
        """Read a metric as `to_dict` writes it; one without intervals has none."""
        return cls(
            values["value"],
            *(
                None if (pair := values.get(key)) is None else (pair[0], pair[1])
                for key in ("interval", "plain_interval")
            ),
        )


@dataclass(frozen=True)
class ClassReport:
    """The metrics of one class against all others.

    Attributes
    ----------
    n_images, n_source_cells : int
        Of this true class.
    precision, recall, f1, roc_auc, average_precision : Metric
    """

    n_images: int
    n_source_cells: int
    precision: Metric
    recall: Metric
    f1: Metric
    roc_auc: Metric
    average_precision: Metric

    def to_dict(self) -> dict[str, Any]:
        """Return the class as JSON; `from_dict` reads it."""
        metrics = {name: getattr(self, name).to_dict() for name in CLASS_METRICS}
        return {"support": self.n_images, "source_cells": self.n_source_cells, **metrics}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ClassReport":
        """Read a class as `to_dict` writes it."""
        metrics = {name: Metric.from_dict(values[name]) for name in CLASS_METRICS}
        return cls(values["support"], values["source_cells"], **metrics)


@dataclass(frozen=True)
class EvaluationReport:
    """All that the predictions of a model on labelled images say about it.

    Attributes
    ----------
    n_images, n_source_cells : int
    effective_sample_size : float
        Number of independent cells that would tell as much, see `effective_sample_size` of `bootstrap`.
    n_without_prediction : int
        Images in which no white cell was found or that could not be read; they count as errors.
    metrics : dict of str to Metric
        accuracy, balanced_accuracy, kappa, {macro,weighted}_{precision,recall,f1}, roc_auc and average_precision (means
        over the classes, each against the others), log_loss and ece (of the images with a prediction),
        confident_accuracy (accuracy of the confident images), flagged_for_review (share of images that are not
        confident) and errors_flagged (share of the errors that are not confident).
    classes : dict of str to ClassReport
        By class name, in the order of the model.
    vote_accuracy : Metric
        Share of source cells that are correct by the largest summed probability of their images.
    status_counts : dict of str to int
        Images of each status.
    confusion : list of list of int, shape (C, C + 1)
        Counts; rows are true classes, columns predicted ones, the last column is no prediction.
    """

    n_images: int
    n_source_cells: int
    effective_sample_size: float
    n_without_prediction: int
    metrics: dict[str, Metric]
    classes: dict[str, ClassReport]
    vote_accuracy: Metric
    status_counts: dict[str, int]
    confusion: list[list[int]]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON; `from_dict` reads it."""
        votes = self.vote_accuracy.to_dict()
        return {
            "images": self.n_images,
            "source_cells": self.n_source_cells,
            "effective_cells": self.effective_sample_size,
            "not_answered": self.n_without_prediction,
            "figures": {_STORED_METRICS.get(name, name): metric.to_dict() for name, metric in self.metrics.items()},
            "classes": {name: class_report.to_dict() for name, class_report in self.classes.items()},
            "votes": {key: votes[key] for key in ("value", "interval")},
            "status": self.status_counts,
            "confusion": self.confusion,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "EvaluationReport":
        """Read a report as `to_dict` writes it."""
        return cls(
            values["images"],
            values["source_cells"],
            values["effective_cells"],
            values["not_answered"],
            {_METRIC_OF_STORED.get(name, name): Metric.from_dict(each) for name, each in values["figures"].items()},
            {name: ClassReport.from_dict(each) for name, each in values["classes"].items()},
            Metric.from_dict(values["votes"]),
            dict(values["status"]),
            values["confusion"],
        )

    def summarise(self) -> dict[str, Any]:
        """Return the short form that metrics.json of a model folder holds.

        Returns
        -------
        dict of str to Any
            images, source_cells, not_answered: counts.
            accuracy, interval, plain_interval: with the intervals over source cells and over images.
            balanced_accuracy, balanced_interval, vote_accuracy, vote_interval, ece.
            recall: per class {recall, interval, images, source_cells}.
            confident_right, held_back, wrong_not_confident: `confident_accuracy`, `flagged_for_review` and
            `errors_flagged` of the report; None where they are undefined.
            status, confusion: as in the report.
        """
        stored = self.to_dict()
        metrics = stored["figures"]
        return {
            **{key: stored[key] for key in ("images", "source_cells", "not_answered")},
            "accuracy": metrics["accuracy"]["value"],
            "interval": metrics["accuracy"]["interval"],
            "plain_interval": metrics["accuracy"]["plain_interval"],
            "balanced_accuracy": metrics["balanced_accuracy"]["value"],
            "balanced_interval": metrics["balanced_accuracy"]["interval"],
            "recall": {
                name: {
                    "recall": each["recall"]["value"],
                    "interval": each["recall"]["interval"],
                    "images": each["support"],
                    "source_cells": each["source_cells"],
                }
                for name, each in stored["classes"].items()
            },
            "vote_accuracy": stored["votes"]["value"],
            "vote_interval": stored["votes"]["interval"],
            "ece": metrics["ece"]["value"],
            **{name: metrics[name]["value"] for name in _STORED_METRICS.values()},
            "status": stored["status"],
            "confusion": stored["confusion"],
        }
