"""The words that a training spec chooses among; each type names them, each tuple lists them for menus."""

from typing import Final, Literal, get_args

ClassSampling = Literal["equal parts", "as they come", "every image once"]
EQUAL_PARTS: Final = "equal parts"
AS_THEY_COME: Final = "as they come"
EVERY_IMAGE: Final = "every image once"
CLASS_SAMPLINGS: Final = get_args(ClassSampling)

ClassWeights = Literal["none", "balanced"]
BALANCED: Final = "balanced"
CLASS_WEIGHTS: Final = get_args(ClassWeights)

OptimizerName = Literal["adamw", "adam", "nadam", "rmsprop", "sgd"]
OPTIMIZERS: Final = get_args(OptimizerName)

Schedule = Literal["cosine", "constant", "exponential", "reduce on plateau"]
COSINE: Final = "cosine"
CONSTANT: Final = "constant"
EXPONENTIAL: Final = "exponential"
PLATEAU: Final = "reduce on plateau"
SCHEDULES: Final = get_args(Schedule)

Monitor = Literal["val_loss", "val_accuracy", "val_balanced"]
MONITORS: Final = get_args(Monitor)

Keep = Literal["mean", "last", "best"]
KEEP_MEAN: Final = "mean"
KEEP_LAST: Final = "last"
KEEP_BEST: Final = "best"
KEEPS: Final = get_args(Keep)

# Metrics of a finished fit on held-out cells, before any calibration.
MetricName = Literal["accuracy", "balanced_accuracy", "log_loss"]
METRICS: Final[tuple[MetricName, ...]] = ("accuracy", "balanced_accuracy", "log_loss")
