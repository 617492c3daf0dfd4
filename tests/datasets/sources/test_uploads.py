import io
import os
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bloodcell.datasets.sources import archives, uploads
from bloodcell.datasets.sources.uploads import (
    MAX_NAME_CHARS,
    IncomingFile,
    count_paths,
    make_display_name,
    natural_key,
    read_paths,
    read_uploads,
)

PNG = b"\x89PNG\r\n\x1a\nrest"


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def fill_folder(folder: Path, names: list[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PNG)
    return folder


def names(files: Iterator[IncomingFile]) -> list[str]:
    return [file.name for file in files]


def problems(files: Iterator[IncomingFile]) -> dict[str, str]:
    return {file.name: file.problem for file in files}


# Folders


def test_folder_in_natural_order_with_relative_names(tmp_path):
    fill_folder(tmp_path, ["img10.png", "img2.PNG", "Img1.png", "a/img1.png", "b/img1.png", "a/deep/x.tif"])
    found = list(read_paths([tmp_path]))
    assert [file.name for file in found] == [
        "a/deep/x.tif",
        "a/img1.png",
        "b/img1.png",
        "Img1.png",
        "img2.PNG",
        "img10.png",
    ]
    assert all(file.data == PNG and file.problem == "" for file in found)
    assert count_paths([tmp_path]) == 6


def test_names_are_relative_to_what_holds_everything(tmp_path):
    fill_folder(tmp_path, ["a/x.png", "b/x.png", "b/y.png"])
    assert names(read_paths([tmp_path / "a", tmp_path / "b"])) == ["a/x.png", "b/x.png", "b/y.png"]
    assert names(read_paths([tmp_path / "a" / "x.png", tmp_path / "b" / "x.png"])) == ["a/x.png", "b/x.png"]
    assert names(read_paths([tmp_path / "b" / "y.png", tmp_path / "b" / "x.png"])) == ["y.png", "x.png"]
    assert names(read_paths([tmp_path / "a" / "x.png"])) == ["x.png"]
    assert names(read_paths([])) == []


def test_relative_paths_are_understood(tmp_path, monkeypatch):
    fill_folder(tmp_path, ["a/x.png"])
    monkeypatch.chdir(tmp_path)
    assert names(read_paths([Path("a")])) == ["x.png"]
    assert names(read_paths([Path("a/../a/x.png")])) == ["x.png"]


def test_two_drives_keep_whole_paths(tmp_path, monkeypatch):
    def two_drives(paths: list[Path]) -> str:
        raise ValueError("Paths don't have the same drive")

    fill_folder(tmp_path, ["x.png"])
    monkeypatch.setattr(uploads.os.path, "commonpath", two_drives)
    assert names(read_paths([tmp_path / "x.png"])) == [(tmp_path / "x.png").as_posix()]


def test_other_files_in_a_folder_are_passed_over(tmp_path):
    fill_folder(tmp_path, ["a.png", "notes.txt", "labels.csv", ".DS_Store", ".hidden/b.png", "__MACOSX/c.png"])
    (tmp_path / "README").write_text("no image")
    assert names(read_paths([tmp_path])) == ["a.png"]


def test_file_without_a_suffix_counts_if_it_starts_like_an_image(tmp_path):
    fill_folder(tmp_path, ["scan_001"])
    assert names(read_paths([tmp_path])) == ["scan_001"]


def test_images_of_other_kinds_get_a_row(tmp_path):
    fill_folder(tmp_path, ["phone.HEIC", "slide.svs"])
    assert set(problems(read_paths([tmp_path])).values()) == {
        "This image format is not supported; save the image as JPEG, PNG, BMP or TIFF."
    }


def test_empty_folder_gets_a_row(tmp_path):
    (tmp_path / "empty" / "inside").mkdir(parents=True)
    sentence = "There are no images (JPEG, PNG, BMP or TIFF) in it."
    assert problems(read_paths([tmp_path / "empty"])) == {"empty": sentence}
    fill_folder(tmp_path, ["full/a.png"])
    assert problems(read_paths([tmp_path / "empty", tmp_path / "full"])) == {"empty": sentence, "full/a.png": ""}


def test_file_given_itself_always_gets_a_row(tmp_path):
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / ".hidden.png").write_bytes(PNG)
    (tmp_path / "zero.jpg").write_bytes(b"")
    given_paths = [tmp_path / name for name in ("notes.txt", ".hidden.png", "zero.jpg", "gone.png")]
    assert problems(read_paths(given_paths)) == {
        "notes.txt": "",
        ".hidden.png": "",
        "zero.jpg": "The file is empty (0 bytes).",
        "gone.png": "There is no such file or folder.",
    }
    assert count_paths(given_paths) == 4


def test_large_file_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "big.tif").write_bytes(bytes(3 * 2**20))
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 2**20)
    (found,) = read_paths([tmp_path])
    assert found == IncomingFile("big.tif", None, "The file is too large: at most 1 MB are allowed. Received: 3 MB.")
    (uploaded,) = read_uploads([("big.tif", bytes(3 * 2**20))])
    assert uploaded == found


def test_links_that_lead_out_are_refused(tmp_path):
    folder = fill_folder(tmp_path / "in", ["a.png"])
    fill_folder(tmp_path / "out", ["secret.png"])
    (folder / "b.png").symlink_to(tmp_path / "out" / "secret.png")
    (folder / "c").symlink_to(tmp_path / "out")
    (folder / "d.png").symlink_to(folder / "a.png")
    (folder / "e").symlink_to(folder)
    (folder / "f.png").symlink_to("gone.png")
    sentence = "The link leads out of the folder, so it is not followed."
    assert problems(read_paths([folder])) == {
        "a.png": "",
        "b.png": sentence,
        "c": sentence,
        "d.png": "",
        "f.png": "The file cannot be read: No such file or directory.",
    }


def test_what_is_no_ordinary_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    os.mkfifo(tmp_path / "pipe")
    assert problems(read_paths([tmp_path])) == {"pipe.png": "This is not an ordinary file."}


def test_folder_that_cannot_be_listed(tmp_path, monkeypatch):
    fill_folder(tmp_path, ["a.png", "locked/b.png"])
    listed = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(uploads.os, "scandir", refuse)
    assert problems(read_paths([tmp_path])) == {
        "a.png": "",
        "locked/": "The folder cannot be read: Permission denied.",
    }


def test_file_that_cannot_be_opened(tmp_path, monkeypatch):
    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    fill_folder(tmp_path, ["a.png"])
    (tmp_path / "b.zip").write_bytes(zip_of({"c.png": PNG}))
    monkeypatch.setattr(Path, "open", refuse)
    assert problems(read_paths([tmp_path])) == {
        "a.png": "The file cannot be read: Permission denied.",
        "b.zip": "The zip cannot be read: Permission denied.",
    }


def test_folders_nested_without_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = "/".join("d" * 300)
    fill_folder(tmp_path, [f"{folder}/a.png"])
    (found,) = read_paths([tmp_path])
    assert found.name.endswith("/d/d/a.png")
    assert found.data == PNG


# Zips


def test_zip_given_alone_names_its_members_only(tmp_path):
    path = tmp_path / "batch.zip"
    path.write_bytes(zip_of({"img10.png": PNG, "img2.png": PNG, "sub/img1.jpg": PNG}))
    assert names(read_paths([path])) == ["img2.png", "img10.png", "sub/img1.jpg"]
    assert names(read_uploads([("batch.zip", path.read_bytes())])) == ["img2.png", "img10.png", "sub/img1.jpg"]


def test_zip_among_others_names_the_zip_too(tmp_path):
    (tmp_path / "batch.zip").write_bytes(zip_of({"a.png": PNG}))
    fill_folder(tmp_path, ["b.png"])
    assert names(read_paths([tmp_path])) == ["b.png", "batch.zip/a.png"]
    uploads = [("batch.zip", zip_of({"a.png": PNG})), ("b.png", PNG)]
    assert names(read_uploads(uploads)) == ["batch.zip/a.png", "b.png"]


def test_one_bad_member_does_not_stop_the_rest():
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(link, "/etc/passwd")
        for name, data in {
            "../evil.png": PNG,
            "/abs.png": PNG,
            "bomb.bmp": bytes(3 * 2**20),
            "empty.png": b"",
            "good.png": PNG,
            "inner.zip": zip_of({"a.png": PNG}),
            "movie.gif": b"GIF89a",
            "notes.txt": b"text",
            "__MACOSX/._good.png": b"1",
            "sub/.DS_Store": b"1",
        }.items():
            archive.writestr(name, data)
    found = {
        name: problem.split(";")[0] for name, problem in problems(read_uploads([("z", buffer.getvalue())])).items()
    }
    assert found == {
        "../evil.png": "Its path leads out of the zip, so it is refused.",
        "/abs.png": "Its path leads out of the zip, so it is refused.",
        "bomb.bmp": "It unpacks to more than 200 times its size, like a zip bomb, so it is refused.",
        "empty.png": "The file is empty (0 bytes).",
        "good.png": "",
        "inner.zip": "A zip inside a zip is not opened",
        "link.png": "It is a link inside a zip, and links are not followed.",
        "movie.gif": "This image format is not supported",
    }


def test_bad_zip_gets_a_row_and_the_rest_goes_on(tmp_path, monkeypatch):
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 broken")
    (tmp_path / "empty.zip").write_bytes(zip_of({}))
    (tmp_path / "many.zip").write_bytes(zip_of({f"{number}.png": PNG for number in range(4)}))
    (tmp_path / "a.png").write_bytes(PNG)
    monkeypatch.setattr(archives, "MAX_ZIP_MEMBERS", 3)
    assert problems(read_paths([tmp_path])) == {
        "a.png": "",
        "broken.zip": "The zip is damaged and cannot be opened.",
        "empty.zip": "There are no images (JPEG, PNG, BMP or TIFF) in it.",
        "many.zip": "The zip has too many files: at most 3 are allowed. Received: 4.",
    }


def test_zip_is_known_by_content_too():
    assert names(read_uploads([("download", zip_of({"a.png": PNG}))])) == ["a.png"]


def test_zip_bomb_does_not_fill_the_memory():
    bomb = zip_of({f"{number}.bmp": bytes(20 * 2**20) for number in range(10)})
    tracemalloc.start()
    assert all(file.problem for file in read_uploads([("bomb.zip", bomb)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 2**20


def test_large_zip_needs_the_memory_of_one_file():
    many = zip_of({f"{number}.png": os.urandom(100) * 1000 for number in range(500)})  # 50 MB unpacked
    tracemalloc.start()
    size = sum(len(file.data or b"") for file in read_uploads([("many.zip", many)]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 500 * 100_000
    assert peak < 5 * 2**20


def test_ten_thousand_tiny_files_in_a_zip():
    many = zip_of({f"folder/{number}.png": PNG for number in range(10_000)})
    assert sum(1 for _ in read_uploads([("many.zip", many)])) == 10_000


def test_ten_thousand_tiny_files_in_a_folder(tmp_path):
    (tmp_path / "0.png").write_bytes(PNG)
    for number in range(1, 10_000):
        (tmp_path / f"{number}.png").hardlink_to(tmp_path / "0.png")  # five times as fast as to write it
    found = names(read_paths([tmp_path]))
    assert len(found) == 10_000
    assert found[:3] == ["0.png", "1.png", "2.png"]
    assert found[-1] == "9999.png"


# Uploads


def test_uploads_are_taken_one_at_a_time():
    taken = []

    def slowly() -> Iterator[tuple[str, bytes]]:
        for number in range(5):
            taken.append(number)
            yield f"{number}.png", PNG

    files = read_uploads(slowly())
    next(files)
    assert taken == [0, 1]  # one ahead, to know whether a zip is alone


def test_uploaded_folder_follows_the_rules_of_folders():
    uploads = [("scans/a.png", PNG), ("scans/.DS_Store", b"1"), ("scans\\notes.txt", b"text"), ("notes.txt", b"text")]
    assert names(read_uploads(uploads)) == ["scans/a.png", "notes.txt"]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_upload_comes_out(count):
    uploads = [(f"{number}.png", PNG) for number in range(count)]
    assert names(read_uploads(uploads)) == [name for name, _ in uploads]


def test_upload_without_a_name():
    assert names(read_uploads([("", PNG)])) == ["(no name)"]


def test_nothing_uploaded():
    assert list(read_uploads([])) == []


def test_same_name_in_two_folders_stays_apart():
    assert names(read_uploads([("a/x.png", PNG), ("b/x.png", PNG)])) == ["a/x.png", "b/x.png"]


# Names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("plain.png", "plain.png"),
        ('it\'s "quoted".png', 'it\'s "quoted".png'),
        ("two\nlines\r\t.png", "two\ufffdlines\ufffd\ufffd.png"),
        ("=cmd|' /C calc'!A0.png", "=cmd|' /C calc'!A0.png"),
        ("<script>alert(1)</script>.png", "<script>alert(1)</script>.png"),
        ("blood 🩸 Ünï.png", "blood 🩸 Ünï.png"),
        ("evil\u202egnp.exe", "evil\ufffdgnp.exe"),
        ("half\udc80surrogate.png", "half\ufffdsurrogate.png"),
        ("line\u2028end.png", "line\ufffdend.png"),
    ],
)
def test_display_name(name, shown):
    assert make_display_name(name) == shown
    assert names(read_uploads([(name, PNG)])) == [shown]


def test_long_name_keeps_its_end():
    shown = make_display_name("x" * 1000 + ".png")
    assert len(shown) == MAX_NAME_CHARS
    assert shown.startswith("…x")
    assert shown.endswith("x.png")


def test_file_system_names_that_are_no_utf8(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    with open(path, "wb") as stream:
        stream.write(PNG)
    assert names(read_paths([tmp_path])) == ["caf\ufffd.png"]


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=60))
def test_any_name_can_be_stored_and_shown(name):
    shown = make_display_name(name)
    assert shown
    assert shown.encode("utf-8")
    assert not any(ord(letter) < 32 for letter in shown)


def test_natural_order():
    unsorted = ["b1", "a10", "a2", "A1", "a02", "a", "a1b3", "a1b12", "1", "a" + "9" * 5000]
    assert sorted(unsorted, key=natural_key)[:-1] == [
        "1",
        "a",
        "A1",
        "a1b3",
        "a1b12",
        "a02",
        "a2",
        "a10",
        "a" + "9" * 5000,
    ]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text(max_size=12)))
def test_natural_order_is_one_order(texts):
    backwards = texts[::-1]
    assert sorted(texts, key=natural_key) == sorted(backwards, key=natural_key)
