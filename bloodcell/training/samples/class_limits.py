"""Take a few images of a class from as few source cells as can be: a rare class, as a small laboratory would have it."""

from collections.abc import Sequence

import numpy as np


def select_from_few_cells(files: Sequence[str], groups: np.ndarray, max_images: int, seed: int) -> np.ndarray:
    """Choose `max_images` images of as few source cells as hold so many.

    Which cells: drawn by `seed` among all choices of that few cells. All of the chosen cells' images are taken, but of
    the last cell only as many as are wanting, drawn too. The order in which the images are listed does not matter.

    Parameters
    ----------
    files : N names, each its own
    groups : array of shape (N,), source cell of each
    most : int, 1 or more
    seed : int

    Returns
    -------
    int64 array of shape (min(most, N),), rows in rising order
    """
    if len(files) <= max_images:
        return np.arange(len(files))
    rng = np.random.default_rng(seed)
    cells: dict[object, list[int]] = {}
    for row in sorted(range(len(files)), key=lambda row: files[row]):
        cells.setdefault(groups[row], []).append(row)
    left = [list(cells.values())[at] for at in rng.permutation(len(cells))]
    sizes = sorted((len(cell) for cell in left), reverse=True)
    n_cells = int(np.searchsorted(np.cumsum(sizes), max_images)) + 1
    taken: list[int] = []
    for cells_after in range(n_cells - 1, -1, -1):
        wanting = max_images - len(taken)
        # With the largest of the others after it, a cell of this size or more still reaches `max_images`.
        least = wanting - sum(sorted((len(cell) for cell in left), reverse=True)[:cells_after])
        cell = left.pop(next(at for at, cell in enumerate(left) if len(cell) >= least))
        taken += cell if len(cell) <= wanting else [cell[place] for place in rng.permutation(len(cell))[:wanting]]
    return np.array(sorted(taken), np.int64)
