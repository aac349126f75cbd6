"""Programs, read character by character without looking ahead: comments, strings, words and numbers."""
