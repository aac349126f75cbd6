"""Labels of a whole corpus, made document by document and kept on disk."""
