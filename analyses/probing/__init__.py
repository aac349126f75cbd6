"""All units of a site against one label: linear probes, their controls and results."""
