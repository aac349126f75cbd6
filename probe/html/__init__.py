"""Results as HTML that is shown in notebooks and in the report: tables, intervals, and pictures."""
