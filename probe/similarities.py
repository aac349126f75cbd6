"""How alike two models are that read the same text: their sites (CKA), and each unit and its partner."""

from analyses.similarity.results import MeanPartner as MeanPartner
from analyses.similarity.results import Similarity as Similarity
from analyses.similarity.results import SiteSimilarity as SiteSimilarity
from analyses.similarity.results import UnitPartner as UnitPartner
from analyses.similarity.results import similarity_differences as similarity_differences
from analyses.similarity.similarity import similarity as similarity
