"""The detector of white cells, red cells and platelets; ONNX Runtime, no Keras. Images of any size are seen in tiles."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError
from bloodcell.imaging.read import require_rgb
from bloodcell.inference.detections import Detections, concatenate_detections, decode_maps, join_detections
from bloodcell.inference.onnx_session import open_session
from bloodcell.model_store.detectors import INPUT_MULTIPLE, read_detector_model

TILE_PX: Final = 1024  # at the detector's scale; a field of 640 x 480 px is one tile
OVERLAP_PX: Final = 128  # more than the largest white cell
SEAM_PX: Final = 8  # two tiles differ by less than this in where they see the centre of one cell

Spans = list[tuple[tuple[float, float], tuple[int, int]]]  # core and window along one side of an image
Window = tuple[
    npt.NDArray[np.float32], tuple[int, int, int, int]
]  # core and window of a tile: top, left, bottom, right


class Detector:
    """Finds the cells of a field at a known scale.

    Parameters
    ----------
    folder : Path
        Of the detector.
    n_threads : int, default 1
        Threads for one image.

    Attributes
    ----------
    model : DetectorModel
        What the folder says of it: classes, scale, thresholds.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or its network is no detector.
    """

    def __init__(self, folder: Path, n_threads: int = 1) -> None:
        self.model = read_detector_model(folder)
        self._session = open_session(self.model.network_file, n_threads)
        self._input = self._session.get_inputs()[0].name
        n_classes = len(self.model.class_names)
        channels = [output.shape[-1] for output in self._session.get_outputs()]
        if channels != [n_classes, 4 * n_classes]:
            raise ModelError(f"The network of {folder.name} must give centres and sides. Received: {channels} maps.")

    def detect(
        self,
        rgb: npt.NDArray[np.uint8],
        red_cell_px: float,
        thresholds: npt.NDArray[np.floating] | None = None,
    ) -> Detections:
        """Find the cells of an image.

        Parameters
        ----------
        rgb : ndarray of uint8, shape (H, W, 3)
        red_cell_px : float
            Diameter of its red cells; the image is resized to the scale of the detector by it.
        thresholds : ndarray of float, shape (n_classes,), optional
            Lowest score of each class, by default those of the model.

        Returns
        -------
        Detections
            In pixels of `rgb`, cut to it; the best first.

        Raises
        ------
        ImageError
            If `rgb` is not uint8 with three channels.
        """
        require_rgb(rgb)
        height, width = rgb.shape[:2]
        factor = self.model.red_cell_px / red_cell_px
        lowest = self.model.thresholds if thresholds is None else thresholds
        parts = []
        for core, window in _list_windows(height, width, factor):
            found = self._detect_window(rgb, window, factor, lowest)
            middles = found.locate_middles()
            # Each tile is resized for itself, so the middle of a cell on a seam may lie in both cores, or in neither.
            inside = (middles >= core[:2] - SEAM_PX / factor) & (middles < core[2:] + SEAM_PX / factor)
            parts.append(found.select(np.asarray(inside.all(axis=1))))
        found = parts[0] if len(parts) == 1 else join_detections(concatenate_detections(parts), self.model.exclusive)
        boxes = np.clip(found.boxes, 0, np.array([height, width, height, width], np.float32))
        is_box = np.asarray((boxes[:, 2:] - boxes[:, :2] >= 1).all(axis=1))
        return Detections(boxes, found.class_index, found.score).select(is_box)

    def _detect_window(
        self,
        rgb: npt.NDArray[np.uint8],
        window: tuple[int, int, int, int],
        factor: float,
        thresholds: npt.NDArray[np.floating],
    ) -> Detections:
        top, left, bottom, right = window
        part = rgb[top:bottom, left:right]
        size = (max(1, round((right - left) * factor)), max(1, round((bottom - top) * factor)))
        resized = cv2.resize(part, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
        padded = cv2.copyMakeBorder(
            resized, 0, -size[1] % INPUT_MULTIPLE, 0, -size[0] % INPUT_MULTIPLE, cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
        centres, sides = self._session.run(None, {self._input: padded[None].astype(np.float32)})
        found = join_detections(decode_maps(centres[0], sides[0], thresholds), self.model.exclusive)
        scales = np.array([(bottom - top) / size[1], (right - left) / size[0]] * 2, np.float32)
        boxes = found.boxes * scales + np.array([top, left, top, left], np.float32)
        return Detections(boxes, found.class_index, found.score)


def _list_windows(height: int, width: int, factor: float) -> Iterator[Window]:
    """List the tiles of an image."""
    step, overlap = TILE_PX / factor, OVERLAP_PX / factor
    return pair_spans(*(list_spans(side, step, overlap) for side in (height, width)))


def pair_spans(rows: Spans, cols: Spans) -> Iterator[Window]:
    """Pair the spans of both sides to tiles: a cell belongs to the tile whose core has its centre."""
    for core_rows, (top, bottom) in rows:
        for core_cols, (left, right) in cols:
            core = np.array([core_rows[0], core_cols[0], core_rows[1], core_cols[1]], np.float32)
            yield core, (top, left, bottom, right)


def list_spans(side_px: int, step: float, overlap: float) -> Spans:
    """List the tiles along one side as ((core), (window)); the cores meet, the windows overlap."""
    count = 1 if side_px <= step else int(np.ceil(side_px / (step - 2 * overlap)))
    edges = np.linspace(0, side_px, count + 1)
    windows = [
        (max(0, int(low - overlap)), min(side_px, int(np.ceil(high + overlap)))) for low, high in pairwise(edges)
    ]
    edges[0], edges[-1] = -np.inf, np.inf  # the centre of a cell that is cut may lie outside
    return list(zip(pairwise(edges.tolist()), windows, strict=True))
