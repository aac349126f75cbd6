"""Questions of the explorer's page: a session or a model in, frozen dataclasses out; nothing here knows of HTTP."""
