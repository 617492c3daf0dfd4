"""The workbench: gallery and open cell side by side, rerun on its own so that a review does not redraw the page."""

import pandas as pd
import streamlit as st

from bloodcell.core.labels import CELL_STATUSES, EXTRA_DECISIONS
from bloodcell.imaging.boxes import Box
from bloodcell.plots import theme
from bloodcell.review.batches import Batch
from bloodcell.ui.classify import batch_summary, decisions, ordering
from bloodcell.ui.classify.cell_view import show_cell
from bloodcell.ui.classify.gallery import PAGE_SIZES, find_page, get_component_key, show_gallery
from bloodcell.ui.shared import resources, state, thumbnails
from bloodcell.ui.shared.image_grid import show_image_grid
from bloodcell.ui.shared.messages import escape_md, show_errors


def prepare_bench(batch_id: int, table: pd.DataFrame) -> state.Bench:
    """Return the bench of a batch with the cells that were just read.

    Parameters
    ----------
    batch_id : int
    table : DataFrame
        As `review.tables.read_cells_table` returns it.

    Returns
    -------
    Bench
        A new one opens the cell in the address.
    """
    table = table.set_index("cell_id")
    bench = state.get_bench(batch_id)
    if bench is None:
        bench = state.Bench(batch_id, table, chosen=state.get_cell_in_url())
        state.store_bench(bench)
    bench.table = table
    return bench


@st.fragment
def show_workbench(batch: Batch, n_images: int) -> None:
    """Show counts, toolbar, gallery and open cell of a batch after `prepare_bench`; `n_images` as in `show_counts`."""
    bench = state.get_bench(batch.id)
    if bench is None:
        return
    batch_summary.show_counts(bench.table, batch.class_names, n_images)
    if bench.table.empty:
        st.info("No white cell was found in these images.", icon=":material/search_off:")
        return
    _show_toolbar(bench, batch.class_names)
    state.set_cell_in_url(bench.chosen)
    if bench.problem:
        st.error(escape_md(bench.problem), icon=":material/error:")
    left, right = st.columns([7, 5], gap="medium")
    with left:
        _show_gallery_page(bench, batch)
    masks = []
    with right, show_errors():
        masks = show_cell(bench, batch)
    if masks:
        show_image_grid(masks, f"repeat({len(masks)}, 1fr)")


def _show_toolbar(bench: state.Bench, class_names: tuple[str, ...]) -> None:
    """Ask for sorting, filters and page size, and update the order where one of them changed."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        sort = st.segmented_control(
            "Sort",
            ordering.SORTS,
            default=ordering.BY_DOUBT,
            required=True,
            key="classify-sort",
            bind="query-params",
        )
        with st.popover("Filter", icon=":material/filter_alt:", key="classify-filter"):
            statuses = st.pills(
                "Status",
                CELL_STATUSES,
                selection_mode="multi",
                format_func=lambda name: f"{theme.STATUS_STYLES[name].sign} {theme.STATUS_STYLES[name].word}",
                key="classify-filter-status",
            )
            labels = st.pills(
                "Class",
                (*class_names, *EXTRA_DECISIONS),
                selection_mode="multi",
                format_func=theme.format_label,
                key="classify-filter-class",
            )
            unreviewed = st.toggle("Only unreviewed cells", key="classify-filter-undecided")
        size = st.segmented_control(
            "Cells per page",
            PAGE_SIZES,
            default=48,
            required=True,
            key="classify-page-size",
            bind="query-params",
        )
    bench.page_size = size or 48
    order_key = (sort, tuple(statuses), tuple(labels), unreviewed, len(bench.table))
    if order_key != bench.order_key:
        first_time = bench.order_key is None
        bench.order_key = order_key
        bench.order = ordering.order_cells(
            bench.table, sort or ordering.BY_DOUBT, class_names, tuple(statuses), tuple(labels), unreviewed
        )
        if not first_time or bench.chosen not in bench.order:
            bench.chosen = bench.order[0] if bench.order else None


def _show_gallery_page(bench: state.Bench, batch: Batch) -> None:
    if not bench.order:
        st.info("No cell matches the filter.", icon=":material/filter_alt_off:")
        return
    _, cell_ids = find_page(bench)
    cells = bench.table.loc[list(cell_ids)]
    boxes = [(cell.sha256, Box(cell.top, cell.left, cell.bottom, cell.right)) for cell in cells.itertuples()]
    crops, problems = thumbnails.make_tile_crops(thumbnails.get_shared_cache(), resources.get_blob_store(), boxes)
    for problem in problems:
        st.warning(escape_md(problem), icon=":material/broken_image:")
    show_gallery(bench, cells, crops, batch.class_names, on_events=lambda: _on_events(batch.id))


def _on_events(batch_id: int) -> None:
    bench = state.get_bench(batch_id)
    if bench is not None:
        decisions.apply_events(
            bench, state.read_events(get_component_key(batch_id)), resources.get_database(), state.get_initials()
        )
