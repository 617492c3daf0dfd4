"""One word, one meaning: words that the project has retired do not come back into what people read."""

import ast
import re

import pytest

from tests.places import ROOT

# What is no longer written -> what is; as in the glossary. Matched without regard to case, as whole words.
RETIRED = {
    r"pictures?": "image",
    r"shel(f|ves)": "model library, dataset library",
    r"strangers?": "unknown cells, out of distribution",
    r"(?<!scikit-)learn(?:ed|s)?": "train, trained on",
    r"taught|teach(?:es)?": "train, trained on",
    r"held[ -]back": "flagged for review (statuses), held out (cells)",
    r"holds? back": "flag for review, hold out",
    r"(?<!<)(?<!</)figures?": "metric, chart",  # not the HTML tag
    r"right answers?": "accuracy, correct",
    r"classes (weighed )?equal(ly)?": "balanced accuracy",
    r"no medical device": "not a medical device",
    r"judged?|judges|judging": "evaluate",
    r"begun": "started, created",
    r"variations?": "augmentation",
    r"a batch, an epoch": "batch size, images per epoch",
    r"rate up": "cosine schedule with warm-up",
    r"to the last bit": "deterministic",
    r"share of the (label|answer)": "row-normalised (recall), column-normalised (precision)",
    r"false alarms?": "false positive rate",
    r"same bytes": "exact duplicate",
    r"look(ed)? again": "rescan",
    r"draw others": "reshuffle",
    r"dark up to": "threshold",
    r"less blue": "green minus blue",
    r"middle half": "interquartile range",
    r"(plain|full) csv": "per image, per cell",
    r"(un)?decided": "reviewed",
    r"fingerprints?": "keypoint signature, content hash",
    r"as much as": "effective sample size",
    r"answers? of the model": "predicted class",
    r"wrong answers?": "error",
    r"make it": "create",
    r"typical cells?": "feature statistics",
}
_PATTERN = re.compile(r"\b(" + "|".join(f"(?:{word})" for word in RETIRED) + r")\b", re.IGNORECASE)

SOURCES = [*sorted((ROOT / "bloodcell").rglob("*.py")), *sorted((ROOT / "pages").glob("*.py"))]
ROOMS = sorted({str(path.relative_to(ROOT).parent) for path in SOURCES})
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "models").glob("*/README.md"))]


def strings_for_people(path):
    """Line and text of every string that is no docstring, key, path or code: such hold a blank or begin with a capital."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    old_names = {  # of views, which links of older versions still ask for
        id(key)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and any(target.id.startswith("RENAMED_") for target in node.targets if isinstance(target, ast.Name))
        for key in getattr(node.value, "keys", [])
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation | old_names:
            text = node.value
            if " " in text.strip() or text[:1].isupper():
                yield node.lineno, text


@pytest.mark.parametrize("room", ROOMS)
def test_no_retired_word_in_what_people_read(room):
    found = [
        f"{path.relative_to(ROOT)}:{line}: {match.group(0)!r} in {text[:80]!r}"
        for path in sorted((ROOT / room).glob("*.py"))
        for line, text in strings_for_people(path)
        if (match := _PATTERN.search(text))
    ]
    assert found == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_word_in_the_documents(document):
    found = [
        f"{number}: {match.group(0)!r}"
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1)
        if (match := _PATTERN.search(re.sub(r"`[^`]*`", "", line)))  # names of files and code stand in backticks
    ]
    assert found == []


def test_the_search_for_retired_words_finds_them(tmp_path):
    file = tmp_path / "page.py"
    file.write_text(
        '"""A picture in a docstring is for developers."""\nst.caption("Cells held back for a look")\nkey = "picture"\n'
    )
    assert [text for _, text in strings_for_people(file) if _PATTERN.search(text)] == ["Cells held back for a look"]
