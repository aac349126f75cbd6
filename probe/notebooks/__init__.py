"""Results, sources and texts as HTML, as notebooks show them: tables with intervals drawn, and pictures."""

from probe.notebooks.showing import html_of as html_of
