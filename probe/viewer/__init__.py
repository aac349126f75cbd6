"""The one view of a text and its characters: in the terminal, as a picture, in a page, in a notebook."""
