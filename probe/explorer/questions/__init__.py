"""Questions of the explorer's page: a session or a model in, frozen dataclasses out; nothing here knows of HTTP."""
"""The questions that the explorer answers: from a session to plain data, knowing nothing of HTTP."""
