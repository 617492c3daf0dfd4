"""Masks of cells by a trained U-Net (`networks.builders.unet`), for images of any size; ONNX Runtime, no Keras."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from bloodcell.core.errors import ModelError
from bloodcell.imaging.crop import resize_image
from bloodcell.imaging.read import require_rgb
from bloodcell.inference.onnx_session import open_session


class MaskEngine:
    """Marks the pixels of cells with a U-Net.

    Parameters
    ----------
    path : Path
        The network, as `training.fitting.export.export_mask_onnx` wrote it.
    n_threads : int, default 1
        Threads for one image.

    Attributes
    ----------
    height_px, width_px : int
        Size of the network's input.

    Raises
    ------
    ModelError
        If the file is missing or damaged, or its network gives no mask.
    """

    def __init__(self, path: Path, n_threads: int = 1) -> None:
        self._session = open_session(path, n_threads)
        graph_input, *_ = self._session.get_inputs()
        shapes = [output.shape for output in self._session.get_outputs()]
        self.height_px, self.width_px = graph_input.shape[1:3]
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] != 1:
            raise ModelError(f"The U-Net {path.name} must give one mask (N, H, W, 1). Received: {shapes}.")
        self._input = graph_input.name

    def predict_mask(self, rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Mark the pixels of the cell in an image; the network sees it resized to its own size.

        Parameters
        ----------
        rgb : ndarray of uint8, shape (H, W, 3)

        Returns
        -------
        ndarray of bool, shape (H, W)
            All False where the network sees no cell.

        Raises
        ------
        ImageError
            If `rgb` is not uint8 with three channels.
        """
        require_rgb(rgb)
        resized = resize_image(rgb, self.height_px, self.width_px)[None].astype(np.float32)
        logits = self._session.run(None, {self._input: resized})[0][0, :, :, 0]
        return np.asarray(cv2.resize(logits, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR) > 0)
