"""Find the picture that a table means by a path, a name or a number."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

_DIGITS: Final = re.compile(r"[0-9]+")


class ImageNames:
    """Finds the picture that a table means.

    In this order: by its path from the dataset's or the table's folder, by its file name, by either without the
    suffix, and, for a bare number, by the number in the file name if that holds just one (25 is BloodImage_00025.jpg
    and 025.bmp, but not _25_1734.jpeg). Capitals don't matter, and leading zeros of numbers don't.
    """

    def __init__(self, image_files: Iterable[str], csv_name: str) -> None:
        self._lookups: tuple[dict[str, set[str]], ...] = tuple(defaultdict(set) for _ in range(4))
        beside_csv = f"{PurePosixPath(csv_name).parent.as_posix()}/"
        for file in image_files:
            path = PurePosixPath(file)
            for spelling in (file, file.removeprefix(beside_csv)):
                self._lookups[0][_normalise_name(spelling)].add(file)
                self._lookups[2][_normalise_name(spelling.removesuffix(path.suffix))].add(file)
            self._lookups[1][_normalise_name(path.name)].add(file)
            self._lookups[2][_normalise_name(path.stem)].add(file)
            numbers = _DIGITS.findall(path.stem)
            if len(numbers) == 1:
                self._lookups[3][numbers[0].lstrip("0")].add(file)

    def find(self, text: str) -> set[str]:
        """The pictures that `text` fits in the first way that fits any; empty if none does."""
        key = _normalise_name(text.replace("\\", "/").removeprefix("./"))
        for way in self._lookups[:3]:
            if key in way:
                return way[key]
        return self._lookups[3].get(key.lstrip("0"), set()) if _DIGITS.fullmatch(key) else set()


def _normalise_name(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
