"""N-gram models, which learn from a text and serve as a baseline for a network."""

from activations.models.ngrams import NgramLosses as NgramLosses
from activations.models.ngrams import NgramModels as NgramModels
from activations.models.ngrams import fit_ngrams as fit_ngrams
