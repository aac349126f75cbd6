"""The report: what is known of a recording, measured, told and drawn on one page."""
