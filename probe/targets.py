"""Labels of a whole text, the split that says which characters train and test, and arrays for models of your own."""

from analyses.design_matrices import ActivationMatrix as ActivationMatrix
from analyses.design_matrices import Design as Design
from analyses.design_matrices import RowLabels as RowLabels
from analyses.design_matrices import design as design
from analyses.design_matrices import labels as labels
from analyses.targets.labelling import target as target
from analyses.targets.many_hypotheses import Targets as Targets
from analyses.targets.many_hypotheses import all_targets as all_targets
from analyses.targets.many_hypotheses import targets_of as targets_of
from analyses.targets.splits import Split as Split
from analyses.targets.target import Target as Target
