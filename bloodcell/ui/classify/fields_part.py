"""The fields of a batch: counts of all cells, every field with its own, one opened with its boxes to mend."""

from functools import partial
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from bloodcell.core.labels import NOT_A_CELL, WBC
from bloodcell.core.settings import load_settings
from bloodcell.datasets.boxes.write_boxes import FORMATS
from bloodcell.imaging.boxes import Box
from bloodcell.imaging.read import read_rgb
from bloodcell.inference.field_scale import BatchScale, describe_scale
from bloodcell.inference.pipeline import classify_box
from bloodcell.inference.results import CellResult
from bloodcell.plots import theme
from bloodcell.review.batches import Batch
from bloodcell.review.box_edits import FieldBox, read_field_boxes
from bloodcell.review.box_export import export_boxes
from bloodcell.review.field_counts import (
    Estimate,
    FieldTotals,
    build_fields_table,
    compute_field_totals,
    encode_fields,
)
from bloodcell.review.scale import MAX_RED_CELL_PX, MIN_RED_CELL_PX, read_image_scale, read_scale, set_scale
from bloodcell.review.tables import read_cells_table, read_images_table
from bloodcell.ui.classify.field_editor import ShownBox, ShownImage, get_editor_key, show_field_editor
from bloodcell.ui.classify.field_events import apply_field_events
from bloodcell.ui.classify.upload_form import get_batch_model
from bloodcell.ui.shared import resources, state, thumbnails
from bloodcell.ui.shared.messages import escape_md, show_errors

ROWS_PER_PAGE: Final = 50  # each needs a thumbnail, made from the whole image the first time
BY_DOUBT: Final = "Doubt"
BY_FILE: Final = "File"
BY_WHITE: Final = "White cells"


@st.fragment
def show_fields(batch: Batch) -> None:
    """Show the counts of a batch, its fields, and the open one."""
    db = resources.get_database()
    images, cells = read_images_table(db, batch.id), read_cells_table(db, batch.id)
    fields = build_fields_table(images, cells)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _show_scale(batch, read_scale(db, batch.id))
        if not fields.empty:
            _offer_downloads(batch, fields)
    if fields.empty:
        st.info(
            "No field of this batch was counted: it was analysed before red cells and platelets were looked for, or shows "
            "no smear. Drop the images again to count them.",
            icon=":material/search_off:",
        )
        return
    totals = compute_field_totals(fields, load_settings().red_cells_per_l)
    _show_totals(totals)
    bench = state.get_field_bench(batch.id)
    left, right = st.columns([4, 7], gap="medium")
    with left:
        _choose_field(bench, fields)
    with right, show_errors():
        _show_field(bench, batch, images, cells)
    st.caption(_describe_estimates(totals))


def _show_scale(batch: Batch, scale: BatchScale | None) -> None:
    st.caption(describe_scale(scale), width="stretch")
    with st.popover("Set the scale", icon=":material/straighten:", key="classify-scale"):
        value = st.number_input(
            "Diameter of a red cell in pixels",
            MIN_RED_CELL_PX,
            MAX_RED_CELL_PX,
            value=round(scale.red_cell_px if scale else 90.0, 1),
            step=1.0,
            key=f"classify-scale-px-{batch.id}",
            help="Images that you add from now on are seen at this scale.",
        )
        if st.button("Save", key="classify-save-scale", type="primary"):
            with show_errors(stop=True):
                set_scale(resources.get_database(), batch.id, value, state.get_initials())
            st.rerun()


def _show_totals(totals: FieldTotals) -> None:
    columns = st.columns(6)
    columns[0].metric("Fields", f"{totals.n_fields:,}", help=f"Unfit for counting: {totals.n_unfit:,}.")
    columns[1].metric("White cells", f"{totals.white_cells:,}")
    columns[2].metric("Red cells", f"{totals.red_cells:,}")
    columns[3].metric("Platelets", f"{totals.platelets:,}")
    columns[4].metric("White / 100 red", _format_value(totals.white_per_100_red), help=_HELP)
    columns[5].metric("Plt / 1,000 red", _format_value(totals.platelets_per_1000_red, 0), help=_HELP)


def _offer_downloads(batch: Batch, fields: pd.DataFrame) -> None:
    st.download_button(
        "Field CSV",
        data=partial(encode_fields, fields),
        file_name="fields.csv",
        mime="text/csv",
        key="classify-fields-csv",
        icon=":material/download:",
        help="One row per field: white cells, red cells, platelets, ratios, scale, doubt.",
        on_click="ignore",
    )
    with st.popover("Boxes", icon=":material/select_all:", key="classify-boxes"):
        by_class = st.toggle("Classes of white cells in place of WBC", key="classify-boxes-by-class")
        for kind in FORMATS:
            st.download_button(
                kind,
                data=partial(
                    export_boxes,
                    resources.get_database(),
                    resources.get_blob_store().get,
                    batch.id,
                    kind,
                    by_class,
                    state.get_initials(),
                ),
                file_name=f"boxes-{kind.split()[-1].lower()}.zip",
                mime="application/zip",
                key=f"classify-boxes-{kind}",
                on_click="ignore",
                width="stretch",
            )
        st.caption("Images and boxes in one zip. Label Studio reads COCO; CVAT reads COCO and Pascal VOC.")


_HELP: Final = "Over the fields that are fit for counting; intervals and estimates are below the field."


def _describe_estimates(totals: FieldTotals) -> str:
    if np.isnan(totals.white_per_100_red.value):
        return "No field is fit for counting, so no ratios are given."
    parts = [
        f"White per 100 red {totals.white_per_100_red.format(2)}",
        f"platelets per 1,000 red {totals.platelets_per_1000_red.format(0)}",
        f"platelets per field {totals.platelets_per_field.format(1)}",
        f"**estimates** if there are {totals.red_cells_per_l / 1e12:.1f} x 10¹² red cells per litre: white cells"
        f" {totals.white_per_l.format(1, 1e9)} x 10⁹/L, platelets"
        f" {totals.platelets_per_l.format(0, 1e9)} x 10⁹/L",
    ]
    return (
        "; ".join(parts) + ". In brackets the 95 % interval from the spread between "
        "fields. Fields that were chosen for a white cell give too many of them."
    )


def _format_value(estimate: Estimate, digits: int = 2) -> str:
    return "–" if np.isnan(estimate.value) else f"{estimate.value:.{digits}f}"


def _choose_field(bench: state.FieldBench, fields: pd.DataFrame) -> None:
    """List the fields with their counts and open the one that is clicked."""
    sort = st.segmented_control(
        "Sort by",
        (BY_DOUBT, BY_FILE, BY_WHITE),
        default=BY_DOUBT,
        required=True,
        key="classify-fields-sort",
    )
    ordered = _sort_fields(fields, sort or BY_DOUBT)
    if bench.image_id not in set(ordered["image_id"]):
        bench.image_id = int(ordered["image_id"].iloc[0])
    pages = -(-len(ordered) // ROWS_PER_PAGE)
    page = st.pagination(pages, key=f"classify-fields-page-{bench.batch_id}-{sort}") if pages > 1 else 1
    ordered = ordered.iloc[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
    cache, blobs = thumbnails.get_shared_cache(), resources.get_blob_store()
    shown = pd.DataFrame(
        {
            "image": [thumbnails.make_thumbnail(cache, blobs, sha256) or "" for sha256 in ordered["sha256"]],
            **{name: ordered[name].to_list() for name in ("file", "white_cells", "red_cells", "platelets", "doubt")},
        }
    )
    event = st.dataframe(
        shown,
        hide_index=True,
        row_height=72,
        height=620,
        column_config=_FIELD_COLUMNS,
        on_select="rerun",
        selection_mode="single-row",
        key=f"classify-fields-{bench.batch_id}-{sort}-{page}",
    )
    rows = event["selection"]["rows"]
    picked = int(ordered["image_id"].iloc[rows[0]]) if rows and rows[0] < len(ordered) else None
    if picked is not None and picked != bench.picked:
        bench.image_id = picked
    bench.picked = picked


_FIELD_COLUMNS: Final = {
    "image": st.column_config.ImageColumn("Field", width=64),
    "file": st.column_config.TextColumn("File", width=80),
    "white_cells": st.column_config.NumberColumn("White", width=44),
    "red_cells": st.column_config.NumberColumn("Red", width=38),
    "platelets": st.column_config.NumberColumn("Plt", width=34, help="Platelets"),
    "doubt": st.column_config.TextColumn("Doubt", width=96),
}


def _sort_fields(fields: pd.DataFrame, sort: str) -> pd.DataFrame:
    if sort == BY_DOUBT:
        return fields.iloc[np.argsort(fields["doubt"].to_numpy() == "", kind="stable")]
    if sort == BY_WHITE:
        return fields.sort_values("white_cells", ascending=False, kind="stable")
    return fields


def _show_field(bench: state.FieldBench, batch: Batch, images: pd.DataFrame, cells: pd.DataFrame) -> None:
    if bench.problem:
        st.error(escape_md(bench.problem), icon=":material/error:")
    image = images.set_index("image_id").loc[bench.image_id]
    field = thumbnails.make_field_image(thumbnails.get_shared_cache(), resources.get_blob_store(), image["sha256"])
    shown = ShownImage(
        int(bench.image_id or 0), image["file_name"], field, int(image["width_px"]), int(image["height_px"])
    )
    rows = cells[cells["image_id"] == bench.image_id].set_index("cell_id")
    boxes = [_label_box(box, rows) for box in read_field_boxes(resources.get_database(), shown.id)]
    show_field_editor(
        bench,
        shown,
        [box for box in boxes if box is not None],
        batch.class_names,
        on_events=lambda: _on_events(batch),
    )


def _label_box(box: FieldBox, rows: pd.DataFrame) -> ShownBox | None:
    """Write at a white cell what it is called; one that was called "not a white cell" is not shown."""
    if box.kind != WBC or box.cell_id not in rows.index:
        return ShownBox(box)
    cell = rows.loc[box.cell_id]
    if cell["label"] == NOT_A_CELL:
        return None
    style = theme.STATUS_STYLES.get(cell["status"])
    trust = f"{style.sign} {style.word} {100 * cell['confidence']:.0f} %" if style else ""
    reviewed = f"reviewed by {cell['who']}" if cell["correction"] else trust
    return ShownBox(box, theme.format_label(cell["label"]) if cell["label"] else "", reviewed)


def _on_events(batch: Batch) -> None:
    db, blobs = resources.get_database(), resources.get_blob_store()

    def classify(image_id: int, box: Box) -> CellResult:
        model = get_batch_model(batch)
        engine = resources.get_engine(str(model.folder), model.sha256)
        sha256_of = read_images_table(db, batch.id).set_index("image_id")["sha256"]
        rgb = read_rgb(blobs.get(sha256_of.loc[image_id]))
        return classify_box(engine, rgb, box, read_image_scale(db, image_id))

    bench = state.get_field_bench(batch.id)
    sent = state.read_events(get_editor_key(batch.id))
    apply_field_events(bench, sent, db, state.get_initials(), classify)
