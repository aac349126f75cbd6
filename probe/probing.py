"""Linear probes (diagnostic classifiers) of many units together, and their accuracy curves."""

from analyses.curves import Curve as Curve
from analyses.curves import curve as curve
from analyses.curves import curves_over_steps as curves_over_steps
from analyses.probing.options import FitOptions as FitOptions
from analyses.probing.probes import fit as fit
from analyses.probing.probes import fit_units as fit_units
from analyses.probing.results import ProbeResult as ProbeResult
