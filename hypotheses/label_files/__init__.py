"""Labels from files: tables of a label a character, a token or a span, matched to the documents of a text."""
