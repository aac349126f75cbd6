"""Where a pattern that a user wrote matches, within limits of time and memory."""
