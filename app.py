"""Bloodcell in the browser: settings and menu, then the page that the address asks for."""

from bloodcell.ui.shared import layout

page = layout.navigation()
layout.frame()
page.run()
layout.loaded()
