"""Does the model use it? Effects of interventions on what a model predicts, beside those on matched units."""

from analyses.causes.ablation import Ablation as Ablation
from analyses.causes.ablation import ablate as ablate
from analyses.causes.attribution import Attribution as Attribution
from analyses.causes.attribution import attribute as attribute
from analyses.causes.directions import Direction as Direction
from analyses.causes.directions import mean_difference as mean_difference
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
from analyses.causes.removal_orders import compare_orders as compare_orders
from analyses.causes.removal_results import OrderComparison as OrderComparison
