"""Model folders for tests that look at their files, not at their networks."""

from bloodcell.model_store.folder import REQUIRED_FILES

SPEC = '{"title": "%s", "class_names": ["A", "B"], "side_px": 32, "context": 1.2}'


def put_model(folder, title="", spec=None):
    folder.mkdir(parents=True)
    for name in REQUIRED_FILES:
        (folder / name).write_bytes(b"network")
    (folder / "spec.json").write_text(SPEC % title if spec is None else spec)
    return folder
