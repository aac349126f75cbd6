"""N-gram models, which learn from a text and stand beside a network as a baseline."""

from activations.models.ngrams import NgramLosses as NgramLosses
from activations.models.ngrams import NgramModels as NgramModels
from activations.models.ngrams import fit_ngrams as fit_ngrams
