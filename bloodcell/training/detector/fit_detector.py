"""Fit a detector to fields, checkpointed after every epoch, from its last finished epoch to its end."""

import keras
import numpy as np
from keras import layers, ops

from bloodcell.core.labels import DETECTED, RBC, WBC
from bloodcell.core.progress import Pace
from bloodcell.evaluation.boxes.average_precision import compute_average_precision
from bloodcell.evaluation.boxes.matching import TrueBoxes
from bloodcell.inference.detections import Detections, decode_maps, join_detections
from bloodcell.model_store.detectors import CENTRES, INPUT_MULTIPLE, SIDES
from bloodcell.networks.builders.detector import build_detector
from bloodcell.training.detector.loss import compute_detector_loss
from bloodcell.training.fitting.callbacks import FitCallback, RunContext
from bloodcell.training.output.history import DETECTOR_COLUMNS, HistoryRow
from bloodcell.training.samples.field_samples import Field, FieldSamples
from bloodcell.training.samples.field_targets import N_CLASSES, make_targets
from bloodcell.training.samples.field_tiles import draw_tile, resize_field
from bloodcell.training.specs.detector_spec import DetectorSpec

EXCLUSIVE = (DETECTED.index(WBC), DETECTED.index(RBC))
LOWEST_SCORE = 0.03  # of what is measured: average precision needs the whole curve
_WARM_UP_STEPS = 100
_FIRST_RATE = 1e-5
_WEIGHT_DECAY = 1e-4
_MAX_NORM = 10.0


class TileBatches(keras.utils.PyDataset):
    """Varied tiles and their targets; batch `i` of epoch `e` depends only on (seed, e, i).

    Parameters
    ----------
    fields : list of Field
        Those to train on.
    spec : DetectorSpec
    """

    def __init__(self, fields: list[Field], spec: DetectorSpec) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.fields, self.spec = fields, spec
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.spec.tiles_per_epoch // self.spec.batch_size)

    def on_epoch_end(self) -> None:
        """Go on to the next epoch."""
        self.epoch += 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.spec.seed, self.epoch, index))
        tiles = [draw_tile(self.fields, self.spec, rng) for _ in range(self.spec.batch_size)]
        rgb = np.stack([tile.rgb for tile in tiles]).astype(np.float32)
        return rgb, np.stack([make_targets(tile) for tile in tiles])


def fit_detector(
    spec: DetectorSpec, samples: FieldSamples, context: RunContext
) -> tuple[keras.Model, list[HistoryRow]]:
    """Fit a detector, from its checkpoint where there is one.

    Parameters
    ----------
    spec : DetectorSpec
    samples : FieldSamples
        Those held out only measure the epochs.
    context : RunContext
        Control, checkpoints and history of the run.

    Returns
    -------
    model : keras.Model
        Of `networks.builders.detector`.
    rows : list of HistoryRow
        Its epochs.

    Raises
    ------
    StoppedError
        If the user stopped it; the finished epochs are kept.
    RunError
        If the checkpoint cannot be used.
    ModelError
        If the ImageNet weights are not installed.
    """
    keras.utils.set_random_seed(spec.seed)
    fields = samples.select(held_out=False)
    batches = TileBatches(fields, spec)
    detector = build_detector(N_CLASSES, spec.weights)
    model = _compile(detector, spec, len(batches))
    rows = context.checkpoints.load_state(1, model)
    context.control.log(f"Detector: {model.count_params():,} parameters, {len(fields)} training fields")
    if rows:
        context.control.log(f"resumes after epoch {len(rows)} of {spec.epochs}")
    if len(rows) < spec.epochs:
        batches.epoch = len(rows)
        pace = Pace(1, 1, spec.epochs, len(batches), spec.batch_size)
        callback = _DetectorCallback(spec, samples, detector, context, rows, pace)
        model.fit(batches, initial_epoch=len(rows), epochs=spec.epochs, shuffle=False, verbose=0, callbacks=[callback])
    return detector, rows


def _compile(detector: keras.Model, spec: DetectorSpec, steps_per_epoch: int) -> keras.Model:
    """Return the detector with its outputs one behind the other, ready to train."""
    joined = layers.Concatenate(name="joined")([detector.output[CENTRES], detector.output[SIDES]])
    model = keras.Model(detector.input, joined, name="detector_training")
    steps = spec.epochs * steps_per_epoch
    warm_up = min(_WARM_UP_STEPS, steps // 4)
    rate = keras.optimizers.schedules.CosineDecay(
        _FIRST_RATE, max(1, steps - warm_up), warmup_target=spec.learning_rate, warmup_steps=warm_up
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=_WEIGHT_DECAY, clipnorm=_MAX_NORM),
        loss=compute_detector_loss,
        metrics=[measure_marked_centres],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def measure_marked_centres(target: keras.KerasTensor, prediction: keras.KerasTensor) -> keras.KerasTensor:
    """Measure which share of the centres has a score above 0.5; 1 where there is no cell."""
    is_centre = ops.cast(target[..., :N_CLASSES] >= 1.0, "float32")
    is_marked = ops.cast(prediction[..., :N_CLASSES] > 0, "float32")
    return (ops.sum(is_centre * is_marked) + 1e-6) / (ops.sum(is_centre) + 1e-6)


def predict_field(detector: keras.Model, field: Field, spec: DetectorSpec) -> tuple[TrueBoxes, Detections]:
    """Predict a whole field at the scale of the detector: its true boxes, and what was found."""
    rgb, boxes = resize_field(field, spec.red_cell_px)
    height, width = (-(-side // INPUT_MULTIPLE) * INPUT_MULTIPLE for side in rgb.shape[:2])
    padded = np.zeros((1, height, width, 3), np.float32)
    padded[0, : rgb.shape[0], : rgb.shape[1]] = rgb
    outputs = detector(padded, training=False)
    centres, sides = (ops.convert_to_numpy(outputs[name])[0] for name in (CENTRES, SIDES))
    found = join_detections(decode_maps(centres, sides, np.full(N_CLASSES, LOWEST_SCORE)), EXCLUSIVE)
    limits = np.array([*rgb.shape[:2]] * 2, np.float32)
    return TrueBoxes(boxes, field.class_index), Detections(
        np.clip(found.boxes, 0, limits), found.class_index, found.score
    )


class _DetectorCallback(FitCallback):
    """Measure every epoch on the held-out fields."""

    def __init__(
        self,
        spec: DetectorSpec,
        samples: FieldSamples,
        detector: keras.Model,
        context: RunContext,
        rows: list[HistoryRow],
        pace: Pace,
    ) -> None:
        super().__init__(context, rows, pace, DETECTOR_COLUMNS)
        self.spec, self.detector = spec, detector
        self.held_out = samples.select(held_out=True)

    @staticmethod
    def read_accuracy(logs: dict[str, float]) -> float:  # type: ignore[override]
        """Read the share of centres that are marked."""
        return float(logs["measure_marked_centres"])

    def measure_epoch(self) -> dict[str, float]:
        """Measure the mean average precision at an IoU of 0.5."""
        true, found = zip(*(predict_field(self.detector, field, self.spec) for field in self.held_out), strict=True)
        return {"val_map50": round(compute_average_precision(true, found, DETECTED).map50, 4)}
