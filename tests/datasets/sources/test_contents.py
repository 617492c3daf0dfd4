import os
import stat
import zipfile
import zlib

import pytest

from bloodcell.core.errors import DatasetError
from bloodcell.datasets.sources import contents as contents_module
from bloodcell.datasets.sources.archives import SafeZip
from bloodcell.datasets.sources.contents import Contents, Problem, StoredFile
from tests.datasets.made import in_folder, in_zip

FILES = {"a/1.png": b"one", "2.png": b"second", ".hidden/3.png": b"3", "__MACOSX/a/._1.png": b"litter"}


def test_a_folder_tells_sizes_and_dates(tmp_path):
    path = in_folder(tmp_path, FILES)
    os.utime(path / "2.png", ns=(0, 1_700_000_000_123_456_000))
    with Contents(path) as contents:
        assert contents.files["2.png"] == StoredFile("2.png", 6, 1_700_000_000_123_456_000)
        assert sorted(contents.files) == ["2.png", "a/1.png"]
        assert contents.read("a/1.png") == b"one"
        assert contents.problems == []
        assert not contents.is_zip


def test_a_zip_tells_sizes_and_checksums(tmp_path):
    with Contents(in_zip(tmp_path, FILES)) as contents:
        assert contents.files == {
            "a/1.png": StoredFile("a/1.png", 3, zlib.crc32(b"one")),
            "2.png": StoredFile("2.png", 6, zlib.crc32(b"second")),
        }
        assert contents.read("2.png") == b"second"
        assert contents.is_zip


def test_links_out_of_the_folder_are_problems(tmp_path):
    path = in_folder(tmp_path, {"a/1.png": b"one"})
    (tmp_path / "secret.png").write_bytes(b"secret")
    (path / "out.png").symlink_to(tmp_path / "secret.png")
    (path / "above").symlink_to(tmp_path, target_is_directory=True)
    (path / "again").symlink_to(path / "a", target_is_directory=True)
    (path / "in.png").symlink_to(path / "a/1.png")
    (path / "broken.png").symlink_to(path / "nothing.png")
    with Contents(path) as contents:
        assert sorted(contents.files) == ["a/1.png", "in.png"]
        reasons = {problem.file: problem.reason for problem in contents.problems}
    assert reasons == {
        "above": "The link leads out of the folder, so it is not followed.",
        "out.png": "The link leads out of the folder, so it is not followed.",
        "broken.png": "The file cannot be read: No such file or directory.",
    }


def test_names_and_kinds_that_cannot_be_used(tmp_path):
    path = in_folder(tmp_path, {"ä 😀,\n.png": b"one"})
    os.mkfifo(path / "pipe.png")
    (path / os.fsdecode(b"\xff.png")).write_bytes(b"latin")
    with Contents(path) as contents:
        assert list(contents.files) == ["ä 😀,\n.png"]
        assert sorted(contents.problems, key=lambda problem: problem.reason) == [
            Problem("?.png", "Its name is not UTF-8 text; rename it."),
            Problem("pipe.png", "This is not an ordinary file."),
        ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path):
    path = in_folder(tmp_path, {"a/1.png": b"one", "b/2.png": b"two"})
    (path / "b").chmod(0)
    with Contents(path) as contents:
        assert contents.problems == [Problem("b/", "The folder cannot be read: Permission denied.")]
    (path / "b").chmod(stat.S_IRWXU)


def test_hostile_members_are_problems_and_the_rest_is_read(tmp_path):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../out.png", b"out")
        archive.writestr("bomb.bmp", bytes(4 * 2**20))  # 4 MB pack to about 4 kB, a ratio of 1,000
        archive.writestr("a\\b.png", b"windows")
        archive.writestr("twice.png", b"first")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("twice.png", b"second")
    with Contents(path) as contents:
        assert sorted(contents.files) == ["a/b.png", "twice.png"]
        assert contents.read("twice.png") == b"first"
        reasons = {problem.file: problem.reason for problem in contents.problems}
    assert reasons["../out.png"] == "Its path leads out of the zip, so it is refused."
    assert reasons["bomb.bmp"].startswith("It unpacks to more than 200 times its size")
    assert reasons["twice.png"] == "The zip has this name more than once; its first file is used."


def test_nothing_there(tmp_path):
    with pytest.raises(DatasetError, match=r"There is no dataset at .*nothing; give a folder or a zip"):
        Contents(tmp_path / "nothing")


def test_no_zip(tmp_path):
    (tmp_path / "set.zip").write_bytes(b"no zip")
    with pytest.raises(DatasetError, match=r"set\.zip is neither a folder nor a usable zip\. The zip is dam"):
        Contents(tmp_path / "set.zip")


def test_a_file_that_is_gone_or_was_never_there(tmp_path):
    with Contents(in_folder(tmp_path, {"1.png": b"one"})) as contents:
        (contents.path / "1.png").unlink()
        with pytest.raises(DatasetError, match=r"^The file cannot be read: No such file or directory\.$"):
            contents.read("1.png")
        with pytest.raises(DatasetError, match="There is no such file in this dataset"):
            contents.read("../set/1.png")


def test_a_file_above_the_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(contents_module, "MAX_FILE_BYTES", 2)
    with (
        Contents(in_folder(tmp_path, {"1.png": b"one"})) as contents,
        pytest.raises(DatasetError, match="The file is too large"),
    ):
        contents.read("1.png")


def test_more_files_than_a_dataset_may_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(contents_module, "MAX_FILES", 2)
    with pytest.raises(DatasetError, match=r"A dataset may have at most 2 files\. Received: more"):
        _ = Contents(in_folder(tmp_path, {f"{number}.png": b"" for number in range(3)})).files


def test_what_is_no_file_of_the_folder_is_not_read(tmp_path):
    path = in_folder(tmp_path, {"a/1.png": b"one"})
    (tmp_path / "secret.png").write_bytes(b"secret")
    (path / "out.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(path / "pipe.png")
    contents = Contents(path)  # not listed: to read one file of many must cost nothing
    for file, reason in {
        "out.png": "The link leads out",
        "pipe.png": "not an ordinary file",
        "a": "not an ordin",
    }.items():
        with pytest.raises(DatasetError, match=reason):
            contents.read(file)


@pytest.mark.parametrize("honest", [True, False])
def test_a_bomb_in_a_zip_is_not_unpacked(honest, tmp_path):
    """4 MB that pack to 4 kB; the dishonest zip says in its list of members that they are 1,000 bytes."""
    path = in_zip(tmp_path, {"bomb.bmp": bytes(4 * 2**20), "1.png": b"one"})
    if not honest:
        data = path.read_bytes()
        path.write_bytes(data.replace((4 * 2**20).to_bytes(4, "little"), (1000).to_bytes(4, "little")))
    with Contents(path) as contents:
        assert contents.read("1.png") == b"one"
        with pytest.raises(DatasetError, match=r"^[^.]*\.$"):
            contents.read("bomb.bmp")


def test_a_zip_may_be_read_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(SafeZip.__init__, "__kwdefaults__", {"max_member_bytes": 100, "max_total_bytes": 6})
    with Contents(in_zip(tmp_path, {"1.png": b"one", "2.png": b"two"})) as contents:
        for _ in range(3):
            assert contents.read("1.png") + contents.read("2.png") == b"onetwo"
