"""Download over HTTP in a way that continues where it stopped, after a dropped connection or on another day."""

import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import requests

from bloodcell.core.errors import DatasetError
from bloodcell.core.progress import OnProgress

CHUNK_BYTES: Final = 2**16  # what is lost at most when a connection drops
TIMEOUT_S: Final = (10.0, 60.0)  # to connect, between two chunks
MAX_TRIES_WITHOUT_PROGRESS: Final = 3
_CONNECTION_ERRORS: Final = (
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
)


class ResumingDownloader:
    """A downloader for `pooch` that stores what has arrived in a `.part` file and requests only the rest.

    The server's ETag is stored beside it, so that the download of a file that has changed in the meantime starts again
    instead of becoming half old, half new.

    Parameters
    ----------
    part : Path
        The unfinished file.
    on_progress : callable, optional
        Called with (done_bytes, total_bytes); the total is 0 if the server does not give it.
    pause_s : float, default 1.0
        Pause before each new attempt.
    """

    def __init__(self, part: Path, on_progress: OnProgress | None = None, pause_s: float = 1.0) -> None:
        self.part = part
        self.etag_file = part.with_name(part.name + ".etag")
        self.on_progress = on_progress
        self.pause_s = pause_s

    def __call__(self, url: str, output_file: str | os.PathLike[str], pooch: object = None) -> None:  # noqa: ARG002 pooch passes it
        """Download `url` to `output_file`; the signature is pooch's.

        Raises
        ------
        requests.exceptions.RequestException
            If the server refuses, or the connection drops `MAX_TRIES_WITHOUT_PROGRESS` times without new bytes.
        """
        failures = 0
        while True:
            before = self._count_arrived_bytes()
            try:
                self._download_rest(url)
                break
            except _CONNECTION_ERRORS:
                failures = 0 if self._count_arrived_bytes() > before else failures + 1
                if failures >= MAX_TRIES_WITHOUT_PROGRESS:
                    raise
                time.sleep(self.pause_s)
        self.part.replace(output_file)
        self.etag_file.unlink(missing_ok=True)

    def _count_arrived_bytes(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _download_rest(self, url: str) -> None:
        arrived_bytes = self._count_arrived_bytes()
        headers = {"Accept-Encoding": "identity"}
        if arrived_bytes and self.etag_file.exists():
            headers |= {"Range": f"bytes={arrived_bytes}-", "If-Range": self.etag_file.read_text()}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                # The part is as long as the file, and then complete, or longer, and then useless.
                if response.headers.get("Content-Range") == f"bytes */{arrived_bytes}":
                    return
                self.part.unlink()
                raise requests.exceptions.ConnectionError("The unfinished file does not fit; starting again.")
            response.raise_for_status()
            is_partial = response.status_code == requests.codes.partial_content
            start, total = _parse_extent(response.headers, arrived_bytes if is_partial else 0)
            self._store_etag(response.headers.get("ETag", ""))
            with self.part.open("r+b" if is_partial else "wb") as stream:
                stream.seek(start)
                self._write(response, stream, start, total)

    def _write(self, response: requests.Response, stream: IO[bytes], start: int, total: int) -> None:
        done = start
        for chunk in response.iter_content(CHUNK_BYTES):
            stream.write(chunk)
            done += len(chunk)
            if self.on_progress is not None:
                self.on_progress(done, total)
        if total and done != total:
            raise requests.exceptions.ConnectionError(f"{done:,} of {total:,} bytes arrived.")

    def _store_etag(self, etag: str) -> None:
        """Store a strong ETag, the only kind that promises the same bytes; without one, each download starts again."""
        if etag and not etag.startswith("W/"):
            self.etag_file.write_text(etag)
        else:
            self.etag_file.unlink(missing_ok=True)


def _parse_extent(headers: Mapping[str, str], expected_start: int) -> tuple[int, int]:
    """Return the first byte and the total size (0 if unknown) of what the server sends."""
    whole = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", headers.get("Content-Range", ""))
    if whole is None:
        return 0, int(headers.get("Content-Length", "0") or 0)
    start, total = int(whole[1]), int(whole[2])
    if start != expected_start:
        raise DatasetError(f"The server must send bytes from {expected_start:,}. Received: from {start:,}.")
    return start, total
