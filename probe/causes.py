"""Does the model use it? Effects of interventions on what a model predicts, beside those on matched units."""

from analyses.causes.ablation import Ablation as Ablation
from analyses.causes.ablation import ablate as ablate
from analyses.causes.attribution import Attribution as Attribution
from analyses.causes.attribution import attribute as attribute
from analyses.causes.effects import Effect as Effect
from analyses.causes.removal_orders import compare_orders as compare_orders
from analyses.causes.removal_results import OrderComparison as OrderComparison
