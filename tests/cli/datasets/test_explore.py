"""The command `explore`: one whole file that asks no outside host for anything and holds no name unescaped."""

import re
from html.parser import HTMLParser

import pytest

from bloodcell.cli import main
from bloodcell.imaging.read import encode_png
from bloodcell.synthetic.gallery import draw_field

HOSTILE = ("<script>alert(1)", "a\"onload='x'", "<img src=http:")


class Tags(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture
def dataset(tmp_path):
    root = tmp_path / "set"
    for number, name in enumerate((*HOSTILE, "plain")):
        (root / name).mkdir(parents=True)
        for at in range(2):
            rgb = draw_field(10 * number + at, 1, 60, 80, scale=0.2).rgb
            (root / name / f'{at} <b onclick=1>&".png').write_bytes(encode_png(rgb))
    (root / "plain" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    return root


def run(*args):
    return main.main(["explore", *map(str, args)])


def test_report_is_whole_and_asks_nobody(dataset, tmp_path, capsys):
    out = tmp_path / "report.html"
    assert run(dataset, "--out", out) == 0
    text = out.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    links = [attrs[name] for _, attrs in tags.found for name in ("src", "href") if name in attrs]
    assert links
    assert all(link.startswith(("data:image/jpeg;base64,", "#part-")) for link in links)
    assert {tag for tag, _ in tags.found} & {"link", "iframe", "object", "form"} == set()
    policy = next(attrs["content"] for tag, attrs in tags.found if attrs.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    told = capsys.readouterr().err
    assert "9 images, 4 classes, 0 true masks" in told
    assert "unreadable (1): plain/broken.png (The PNG image is damaged" in told
    assert "plain/broken.png" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "set"]


def test_names_stay_names(dataset, tmp_path):
    out = tmp_path / "report.html"
    run(dataset, "--out", out)
    text = out.read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert not [attrs for _, attrs in tags.found for name in attrs if name.startswith("on")]
    assert "alert(1)" in text.lower()
    assert not re.search(r"<script>alert", text, re.IGNORECASE)
    assert not [attrs for tag, attrs in tags.found if tag == "img" and "alt" not in attrs]


def test_sample_size_is_said_and_repeats(dataset, tmp_path):
    for name in ("1.html", "2.html"):
        assert run(dataset, "--out", tmp_path / name, "--sample", 4, "--seed", 3) == 0
    assert "a random sample of 4 of 9 images, spread evenly over the classes (seed 3)" in (
        tmp_path / "1.html"
    ).read_text(encoding="utf-8")
    assert (tmp_path / "1.html").read_bytes() == (tmp_path / "2.html").read_bytes()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere"], "There is no dataset at"),
        (["empty"], "There are no images"),
        (["broken", "--level", "1"], "None of the images can be read. The first: The file is empty"),
        (["set", "--sample", "0"], "at least 1 image. Received: 0"),
        (["set", "--seed", "-1"], "The seed must be 0 or more. Received: -1"),
    ],
)
@pytest.mark.usefixtures("dataset")
def test_errors_are_one_line_and_write_nothing(tmp_path, capsys, args, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken" / "A").mkdir(parents=True)
    (tmp_path / "broken" / "A" / "1.png").write_bytes(b"")
    assert run(tmp_path / args[0], *args[1:], "--out", tmp_path / "r.html") == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert message in line
    assert not (tmp_path / "r.html").exists()
