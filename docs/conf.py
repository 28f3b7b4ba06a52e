"""The site: `make docs`. Its pages are the Markdown of this folder and of the one above it."""

project = "IntroEval"
author = "IntroEval developers"
copyright = author
html_title = project

root_doc = "docs/index"
include_patterns = ["docs/**.md", "*.md"]
exclude_patterns = [".*", "build", "daemon", "inbox", "introeval_tui", "outbox", "samples", "systemd"]
exclude_patterns += ["tests", "var"]

extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
nitpicky = True

html_theme = "furo"
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_additional_pages = {"index": "to_the_pages.html"}
templates_path = ["."]
html_theme_options = {"top_of_page_buttons": []}
