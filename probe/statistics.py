"""Many questions in one reading: sessions, and statistics that are collected together."""

from analyses.collecting.collect import collect as collect
from analyses.collecting.statistic import BlockLabels as BlockLabels
from analyses.collecting.statistic import Statistic as Statistic
from analyses.gate_saturation import GateSaturation as GateSaturation
from analyses.gate_saturation import gate_saturation as gate_saturation
from analyses.session import Session as Session
from analyses.statistics.autocorrelations import Autocorrelations as Autocorrelations
from analyses.statistics.gram_matrices import GramMatrices as GramMatrices
from analyses.statistics.label_losses import LossesByLabel as LossesByLabel
from analyses.statistics.passages import ActivePassages as ActivePassages
from analyses.statistics.saturations import Saturation as Saturation
from analyses.statistics.saturations import Saturations as Saturations
