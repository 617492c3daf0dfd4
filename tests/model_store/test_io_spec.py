import pytest

from bloodcell.core.errors import ModelError
from bloodcell.model_store.io_spec import ModelIOSpec, read_io_spec


def test_a_description_from_before_there_were_choices():
    assert read_io_spec({"side_px": 64, "context": 1.2}, "old") == ModelIOSpec(
        64, 64, "cell", 1.2, ("logits", "known", "features")
    )


@pytest.mark.parametrize(
    "io_spec",
    [
        ModelIOSpec(64, 64, "cell", 1.2),
        ModelIOSpec(120, 160, "image", 1.0, ("logits", "features")),
        ModelIOSpec(24, 48, "cell", 1.5, ("logits", "features")),
        ModelIOSpec(50, 50, "image", 1.0, ("logits", "features"), needs_white_cell=False),
    ],
)
def test_what_is_written_is_read(io_spec):
    assert read_io_spec(io_spec.to_dict(), "mine") == io_spec
    assert io_spec.has_ood_head == ("known" in io_spec.outputs)
    assert ("side_px" in io_spec.to_dict()) == (io_spec.height_px == io_spec.width_px)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"context": 1.2}, r"spec\.json of the model bad lacks side_px\."),
        ({"height_px": 3, "context": 1.2}, r"spec\.json of the model bad lacks side_px\."),
        ({"side_px": 64}, r"spec\.json of the model bad lacks context\."),
        ({"side_px": 64, "input": "field"}, r"`input` of the model bad must be one of .*Received: 'field'"),
        ({"height_px": 0, "width_px": 4, "input": "image"}, r"must be 1 px or more on each side\. Received: \(0, 4\)"),
        ({"side_px": 64, "context": 1.2, "outputs": 3}, r"`outputs` of the model bad must be one of .*Received: 3"),
        (
            {"side_px": 64, "context": 1.2, "needs_white_cell": False},
            r"`needs_white_cell` of the model bad must be true, or false where its input is the whole image\. Received: False",
        ),
        (
            {"side_px": 64, "context": 1.2, "outputs": ["known"]},
            r"`outputs` of the model bad must be one of .*Received: \('known',\)",
        ),
    ],
)
def test_what_makes_no_sense(description, message):
    with pytest.raises(ModelError, match=message):
        read_io_spec(description, "bad")
