"""The public names of char-probe: what is in `probe` itself, and the groups that have the rest."""

from . import causes as causes
from . import demo as demo
from . import errors as errors
from . import estimators as estimators
from . import hypotheses as hypotheses
from . import intervals as intervals
from . import interventions as interventions
from . import models as models
from . import ngrams as ngrams
from . import plots as plots
from . import probing as probing
from . import ranking as ranking
from . import reading as reading
from . import sources as sources
from . import statistics as statistics
from . import tables as tables
from . import targets as targets
from . import texts as texts
from .causes import ablate as ablate
from .causes import attribute as attribute
from .causes import compare_orders as compare_orders
from .causes import impulse as impulse
from .causes import patch as patch
from .errors import ActivationError as ActivationError
from .errors import AnalysisError as AnalysisError
from .errors import HypothesisError as HypothesisError
from .hypotheses import Labels as Labels
from .hypotheses import get as get
from .hypotheses import hypothesis as hypothesis
from .intervals import difference as difference
from .models import load_model as load_model
from .plots import plot_curves as plot_curves
from .plots import plot_text as plot_text
from .probing import FitOptions as FitOptions
from .probing import curve as curve
from .probing import fit as fit
from .ranking import METHODS as METHODS
from .ranking import compare as compare
from .ranking import explain as explain
from .ranking import rank as rank
from .ranking import rank_all as rank_all
from .reading import LiveActivations as LiveActivations
from .reading import extract as extract
from .reading import live as live
from .sources import Recording as Recording
from .sources import Site as Site
from .sources import Unit as Unit
from .statistics import Session as Session
from .statistics import collect as collect
from .tables import to_frame as to_frame
from .targets import design as design
from .targets import labels as labels
from .texts import Corpus as Corpus

__all__: list[str]
__version__: str
