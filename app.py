"""Bloodcell in the browser: settings and menu, then the page that the address asks for."""

from bloodcell.ui.shared import layout

page = layout.build_navigation()
layout.draw_frame()
page.run()
layout.freeze_loaded_objects()
