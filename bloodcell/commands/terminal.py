"""A training run followed in a terminal."""

from tqdm import tqdm

from bloodcell.commands.output import advance
from bloodcell.training.control import Control, Progress


class Terminal(Control):
    """Shows a run as progress bars: one a source that is read, one an epoch; and lines between them."""

    def __init__(self) -> None:
        self.bars: dict[str, tqdm] = {}

    def reading(self, source: str, done: int, total: int) -> None:
        self._show(source, done, total)

    def progress(self, at: Progress) -> None:
        fit = f"fit {at.fit} of {at.fits}, " if at.fits > 1 else ""
        name = f"{fit}epoch {at.epoch} of {at.epochs}"
        self._show(name, at.batch * at.images // at.batches, at.images, f"loss {at.loss}, accuracy {at.accuracy}")

    def log(self, line: str) -> None:
        tqdm.write(line)

    def _show(self, name: str, done: int, total: int, figures: str = "") -> None:
        bar = self.bars.get(name) or tqdm(total=total, unit="image", desc=name, leave=not figures)
        self.bars[name] = bar
        bar.set_postfix_str(figures, refresh=False)
        advance(bar, done, total)
        if done == total:
            self.bars.pop(name).close()
