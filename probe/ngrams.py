"""N-gram models, which learn from a text and stand beside a network as a baseline."""

from hypotheses.built_in.ngrams import NgramLosses as NgramLosses
from hypotheses.built_in.ngrams import NgramModels as NgramModels
from hypotheses.built_in.ngrams import fit_ngrams as fit_ngrams
