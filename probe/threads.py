"""How many processor cores are computed with."""

from activations.cores import n_cores as n_cores
from activations.cores import use_threads as use_threads
