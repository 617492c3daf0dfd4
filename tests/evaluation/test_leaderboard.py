"""All models evaluated on the same images, side by side."""

import pandas as pd
import pytest

from bloodcell.evaluation.leaderboard import build_leaderboard, group_by_images
from bloodcell.evaluation.library import list_evaluations, store_evaluation
from tests.evaluation.judged import evaluated, spec_for, workspace
from tests.pages.tiny_model import write_tiny_model


def test_leaderboard(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOODCELL_HOME", str(tmp_path / "ws"))
    settings, dataset = workspace(tmp_path)
    write_tiny_model(settings.runs_dir / "other")
    for name, changes in (("a", {}), ("b", {"model": "other"}), ("c", {}), ("d", {"part": ""})):
        store_evaluation(evaluated(settings, spec_for(dataset, **changes)), settings.home / "new", name, settings)
    some = list_evaluations(settings)
    (board,) = group_by_images(some).values()
    assert {one.protocol.model for one in board} == {"tiny", "other"}  # the newest of each alone
    table = build_leaderboard(board, settings)
    assert table["balanced_accuracy"].is_monotonic_decreasing
    assert (table["accuracy_low"] <= table["accuracy"]).all()
    assert (table["accuracy"] <= table["accuracy_high"]).all()
    assert table["size_mb"].iloc[0] == pytest.approx((settings.runs_dir / "tiny" / "model.onnx").stat().st_size / 1e6)
    assert (table["ms_per_image"] > 0).all()
    assert table["leaking_images"].isna().all()  # they do not say what they were trained on
    (settings.runs_dir / "other" / "feature_statistics.npz").unlink()
    assert pd.isna(build_leaderboard(board, settings).set_index("model").loc["other", "size_mb"])
