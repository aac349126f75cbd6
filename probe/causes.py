"""Does the model use it? Effects of interventions on what a model predicts, beside those on matched units."""

from analyses.causes.ablation import Ablation as Ablation
from analyses.causes.ablation import ablate as ablate
from analyses.causes.directions import Direction as Direction
from analyses.causes.directions import mean_difference as mean_difference
from analyses.causes.edit_effects import EditEffect as EditEffect
from analyses.causes.edits import Edit as Edit
from analyses.causes.effects import Effect as Effect
from analyses.causes.impulse import impulse as impulse
from analyses.causes.impulse_results import Duration as Duration
from analyses.causes.impulse_results import Impulse as Impulse
from analyses.causes.impulse_results import ImpulseStep as ImpulseStep
from analyses.causes.impulse_results import UnitImpulse as UnitImpulse
from analyses.causes.patch_results import Patch as Patch
from analyses.causes.patch_results import PatchEffect as PatchEffect
from analyses.causes.patch_results import TextPatch as TextPatch
from analyses.causes.patch_results import with_q_values as with_q_values
from analyses.causes.patched_parts import Subspace as Subspace
from analyses.causes.patching import patch as patch
from analyses.causes.patching import patch_texts as patch_texts
from analyses.causes.perturbation import Perturbation as Perturbation
from analyses.causes.perturbation import perturb as perturb
from analyses.causes.text_effects import TextEffect as TextEffect
from probe.steering import Steering as Steering
from probe.steering import WritingOptions as WritingOptions
from probe.steering import steer as steer
