"""The view of a text in a browser: an ES module that draws it, its data, and one HTML file of both."""
