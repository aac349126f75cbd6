"""Does the model use it? Effects of interventions on what a model predicts, beside those on matched units."""

from analyses.causes.ablation import Ablation as Ablation
from analyses.causes.ablation import ablate as ablate
from analyses.causes.directions import Direction as Direction
from analyses.causes.directions import mean_difference as mean_difference
from analyses.causes.effects import Effect as Effect
from analyses.causes.text_effects import TextEffect as TextEffect
from probe.steering import Steering as Steering
from probe.steering import WritingOptions as WritingOptions
from probe.steering import steer as steer
