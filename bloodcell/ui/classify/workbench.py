"""The workbench: gallery and opened cell side by side, rerun on its own so a decision costs no whole page."""

import pandas as pd
import streamlit as st

from bloodcell.core.labels import CELL_STATUSES, EXTRA_DECISIONS
from bloodcell.imaging.boxes import Box
from bloodcell.plots import theme
from bloodcell.review.batches import Batch
from bloodcell.ui.classify import batch_summary, decisions, ordering
from bloodcell.ui.classify.cell_view import cell_view
from bloodcell.ui.classify.gallery import PAGE_SIZES, component_key, gallery, page_of
from bloodcell.ui.shared import resources, state, thumbnails
from bloodcell.ui.shared.errors import show_errors
from bloodcell.ui.shared.image_rows import show_figures
from bloodcell.ui.shared.text import plain


def prepare_bench(batch_id: int, table: pd.DataFrame) -> state.Bench:
    """Return this session's bench with the cells as the database now has them."""
    table = table.set_index("cell_id")
    bench = state.bench(batch_id)
    if bench is None:
        bench = state.Bench(batch_id, table, chosen=state.cell_in_address())
        state.keep_bench(bench)
    bench.table = table
    return bench


@st.fragment
def workbench(batch: Batch, n_images: int) -> None:
    """Show numbers, toolbar, gallery and opened cell of the batch whose bench is prepared."""
    bench = state.bench(batch.id)
    if bench is None:
        return
    batch_summary.numbers(bench.table, batch.class_names, n_images)
    if bench.table.empty:
        st.info("No white cell was found in these images.", icon=":material/search_off:")
        return
    _toolbar(bench, batch.class_names)
    state.set_cell_in_address(bench.chosen)
    if bench.problem:
        st.error(plain(bench.problem), icon=":material/error:")
    left, right = st.columns([7, 5], gap="medium")
    with left:
        _gallery(bench, batch)
    masks = []
    with right, show_errors():
        masks = cell_view(bench, batch)
    if masks:
        show_figures(masks, f"repeat({len(masks)}, 1fr)")


def _toolbar(bench: state.Bench, class_names: tuple[str, ...]) -> None:
    """Ask for sorting, filters and page size, and bring the order up to date where one of them changed."""
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
                format_func=lambda name: f"{theme.STATUS_LOOKS[name].sign} {theme.STATUS_LOOKS[name].word}",
                key="classify-filter-status",
            )
            labels = st.pills(
                "Class",
                (*class_names, *EXTRA_DECISIONS),
                selection_mode="multi",
                format_func=theme.label_words,
                key="classify-filter-class",
            )
            undecided = st.toggle("Only cells that nobody has decided", key="classify-filter-undecided")
        size = st.segmented_control(
            "Cells a page",
            PAGE_SIZES,
            default=48,
            required=True,
            key="classify-page-size",
            bind="query-params",
        )
    bench.page_size = size or 48
    order_key = (sort, tuple(statuses), tuple(labels), undecided, len(bench.table))
    if order_key != bench.order_key:
        first_time = bench.order_key is None
        bench.order_key = order_key
        bench.order = ordering.order_cells(
            bench.table, sort or ordering.BY_DOUBT, class_names, tuple(statuses), tuple(labels), undecided
        )
        if not first_time or bench.chosen not in bench.order:
            bench.chosen = bench.order[0] if bench.order else None


def _gallery(bench: state.Bench, batch: Batch) -> None:
    if not bench.order:
        st.info("No cell fits the filter.", icon=":material/filter_alt_off:")
        return
    _, cell_ids = page_of(bench)
    cells = bench.table.loc[list(cell_ids)]
    wanted = [(cell.sha256, Box(cell.top, cell.left, cell.bottom, cell.right)) for cell in cells.itertuples()]
    crops, problems = thumbnails.tile_crops(thumbnails.shared_cache(), resources.blobs(), wanted)
    for problem in problems:
        st.warning(plain(problem), icon=":material/broken_image:")
    gallery(bench, cells, crops, batch.class_names, on_events=lambda: _on_events(batch.id))


def _on_events(batch_id: int) -> None:
    bench = state.bench(batch_id)
    if bench is not None:
        decisions.take_events(bench, state.events_of(component_key(batch_id)), resources.database(), state.who())
