"""Does the model use it? Effects of interventions on what a model predicts, beside those on matched units."""

from analyses.causes.ablation import Ablation as Ablation
from analyses.causes.ablation import ablate as ablate
from analyses.causes.effects import Effect as Effect
