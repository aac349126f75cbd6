"""The questions that the explorer answers: from a session to plain data, knowing nothing of HTTP."""
