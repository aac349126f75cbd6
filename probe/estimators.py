"""The probes as estimators with scikit-learn's interface, for arrays of your own."""

from analyses.probing.estimators import LogisticProbe as LogisticProbe
from analyses.probing.estimators import RidgeProbe as RidgeProbe
