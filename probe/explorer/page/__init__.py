"""The explorer's page: its HTML, its style and its ES modules, which the server sends as they are."""
