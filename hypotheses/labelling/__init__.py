"""The labels of a whole corpus, made document by document and cached on disk."""
