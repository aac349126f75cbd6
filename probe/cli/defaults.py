"""What commands use where the user names nothing; it loads nothing, since completion needs it at each key."""

from pathlib import Path

DEFAULT_RECORDING = Path("activations.h5")
"""Where `probe extract` writes, and what all commands read, in the current folder."""
