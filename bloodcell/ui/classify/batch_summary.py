"""The results of a batch in short: counts, a chart, and the images without cells."""

import pandas as pd
import streamlit as st

from bloodcell.core.labels import CELL_STATUSES, HAS_CELLS, NO_WHITE_CELL, NOT_A_SMEAR, UNREADABLE
from bloodcell.plots import theme
from bloodcell.plots.cells import plot_class_counts
from bloodcell.reports.numbers import format_count
from bloodcell.ui.shared import resources, thumbnails
from bloodcell.ui.shared.image_grid import NO_MODEBAR

ROWS_PER_PAGE = 50
_STATUS_TITLES = {
    NO_WHITE_CELL: "No white cell found",
    NOT_A_SMEAR: "Not a blood smear",
    UNREADABLE: "Could not be used",
}
_REASONS = {
    NO_WHITE_CELL: "No white blood cell was found in this field.",
    NOT_A_SMEAR: "The image does not look like a stained blood smear.",
}


def show_counts(table: pd.DataFrame, class_names: tuple[str, ...], n_images: int) -> None:
    """Show how many images and cells there are, how many are reviewed, and the cells per status and class.

    Parameters
    ----------
    table : DataFrame
        As `review.tables.read_cells_table` returns it.
    class_names : tuple of str
        The classes of the model.
    n_images : int
        Images of the batch, those without cells too.
    """
    left, right = st.columns([5, 4], gap="medium", vertical_alignment="center")
    with left:
        first = st.columns(3)
        first[0].metric("Images", f"{n_images:,}")
        first[1].metric("White cells", f"{len(table):,}")
        n_reviewed = int((table["correction"] != "").sum())
        n_corrected = int(((table["correction"] != "") & (table["correction"] != table["prediction"])).sum())
        first[2].metric(
            "Reviewed",
            f"{n_reviewed:,}",
            help=f"Reviewed by a person: {n_reviewed - n_corrected:,} confirmed, {n_corrected:,} corrected.",
        )
        for column, status in zip(st.columns(3), CELL_STATUSES, strict=True):
            style = theme.STATUS_STYLES[status]
            n_status = int((table["status"] == status).sum())
            column.metric(f"{style.sign} {style.word}", f"{n_status:,}", help=style.meaning)
    with right:
        st.plotly_chart(
            plot_class_counts(table, class_names),
            config=NO_MODEBAR,
            key="classify-counts",
            alt="Cells per class and status",
        )


def show_images_without_cells(images: pd.DataFrame) -> None:
    """List the images without cells, each with a thumbnail and the reason; nothing where all have cells."""
    without_cells = images[~images["image_status"].isin([HAS_CELLS, ""])]
    if without_cells.empty:
        return
    counts = without_cells["image_status"].value_counts()
    parts = [f"{title.lower()}: {counts[status]:,}" for status, title in _STATUS_TITLES.items() if status in counts]
    title = f"{format_count(len(without_cells), 'image')} without a result ({', '.join(parts)})"
    with st.expander(
        title, icon=":material/image_not_supported:", key="classify-odd", expanded=len(without_cells) == len(images)
    ):
        pages = -(-len(without_cells) // ROWS_PER_PAGE)
        page = st.pagination(pages, key="classify-odd-page") if pages > 1 else 1
        rows = without_cells.iloc[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]
        st.dataframe(
            _make_reasons_table(rows),
            hide_index=True,
            row_height=72,
            column_config=_REASONS_COLUMNS,
            key="classify-odd-table",
        )


_REASONS_COLUMNS = {
    "image": st.column_config.ImageColumn("Image", width="small"),
    "file": st.column_config.TextColumn("File", width="medium"),
    "result": st.column_config.TextColumn("Result", width="small"),
    "reason": st.column_config.TextColumn("Reason", width="large"),
}


def _make_reasons_table(rows: pd.DataFrame) -> pd.DataFrame:
    cache, blobs = thumbnails.get_shared_cache(), resources.get_blob_store()
    return pd.DataFrame(
        {
            "image": [
                (image.sha256 and thumbnails.make_thumbnail(cache, blobs, image.sha256)) or ""
                for image in rows.itertuples()
            ],
            "file": rows["file_name"].to_list(),
            "result": [_STATUS_TITLES.get(status, status) for status in rows["image_status"]],
            "reason": [image.message or _REASONS.get(image.image_status, "") for image in rows.itertuples()],
        }
    )
