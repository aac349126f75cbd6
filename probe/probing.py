"""Linear probes (diagnostic classifiers) of many units together, and their accuracy curves."""

from analyses.curves import Curve as Curve
from analyses.curves import curve as curve
from analyses.curves import curves_over_steps as curves_over_steps
from analyses.fewest_units import FewestUnits as FewestUnits
from analyses.matrix import HypothesisMatrix as HypothesisMatrix
from analyses.matrix import MatrixCell as MatrixCell
from analyses.matrix import hypothesis_matrix as hypothesis_matrix
from analyses.probing.applying import apply_probes as apply_probes
from analyses.probing.kept_probes import Probe as Probe
from analyses.probing.kept_probes import load_probe as load_probe
from analyses.probing.kept_probes import load_probes as load_probes
from analyses.probing.kept_probes import save_probes as save_probes
from analyses.probing.options import FitOptions as FitOptions
from analyses.probing.probes import fit as fit
from analyses.probing.probes import fit_units as fit_units
from analyses.probing.results import ProbeResult as ProbeResult
