"""The ranking of units for labels: a quick order, the scores, and what stands beside them."""
