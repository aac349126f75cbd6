"""The explorer: a local page on a recording, in which the next question is asked without leaving it."""
