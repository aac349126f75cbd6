"""The sidecar of a recording: a disposable folder with the levels of its units, which saves reading their values."""
