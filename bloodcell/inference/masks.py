"""Masks of cells by a trained network (`networks.builders.unet`), ready for any picture; ONNX Runtime, no Keras."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from bloodcell.core.errors import ModelError
from bloodcell.imaging.crop import resize_image
from bloodcell.imaging.read import require_rgb


class MaskEngine:
    """Marks the pixels of cells with the network in the file `path`, as `training.fitting.export.export_mask_onnx` wrote it.

    Raises
    ------
    ModelError
        If the file is missing or damaged, or its network gives no mask of the size it takes.
    """

    def __init__(self, path: Path, n_threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own classes share no parent
            raise ModelError(f"The network of masks {path.name} is missing or damaged: {error}.") from error
        graph_input, *_ = self._session.get_inputs()
        graph_outputs = self._session.get_outputs()
        self.height_px, self.width_px = graph_input.shape[1:3]
        if len(graph_outputs) != 1 or len(graph_outputs[0].shape) != 4 or graph_outputs[0].shape[-1] != 1:
            shapes = [one.shape for one in graph_outputs]
            raise ModelError(f"A network of masks must give one map (N, H, W, 1). {path.name} gives {shapes}.")
        self._input = graph_input.name

    def mask(self, rgb: np.ndarray) -> np.ndarray:
        """Mark the cell's pixels in a picture of any size; the network sees it resized to its own.

        Parameters
        ----------
        rgb : uint8 array of shape (H, W, 3)

        Returns
        -------
        bool array of shape (H, W)
            All False where the network sees no cell.

        Raises
        ------
        ImageError
            If `rgb` is not uint8 with three channels.
        """
        require_rgb(rgb)
        small = resize_image(rgb, self.height_px, self.width_px)[None].astype(np.float32)
        logits = self._session.run(None, {self._input: small})[0][0, :, :, 0]
        return cv2.resize(logits, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR) > 0
