"""Levels and ranks of units' values, which AUCs and histograms are made of."""
