"""The format of a recording: names, codings, checksums, and what a sound file must have."""
