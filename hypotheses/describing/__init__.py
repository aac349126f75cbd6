"""What is told of hypotheses: summaries of their labels, warnings about them, and the page that lists all."""
