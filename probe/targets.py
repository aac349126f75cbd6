"""Labels of a whole text, and the split that says which of its characters train and test."""

from analyses.targets.alignment import Target as Target
from analyses.targets.alignment import target as target
from analyses.targets.splits import Split as Split
