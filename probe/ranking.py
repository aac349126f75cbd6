"""One unit against one hypothesis: rankings, their scores, and explanations and profiles of a unit."""

from analyses.profiling.class_means import ClassMeans as ClassMeans
from analyses.profiling.events import EventAverage as EventAverage
from analyses.profiling.histograms import Histogram as Histogram
from analyses.profiling.histograms import Threshold as Threshold
from analyses.profiling.unit_profile import UnitProfile as UnitProfile
from analyses.profiling.unit_profile import unit_profile as unit_profile
from analyses.ranking.explaining.explanation import Explanation as Explanation
from analyses.ranking.explaining.explanation import explain as explain
from analyses.ranking.methods.method import Method as Method
from analyses.ranking.methods.method import MethodScores as MethodScores
from analyses.ranking.methods.method import Need as Need
from analyses.ranking.methods.registry import METHODS as METHODS
from analyses.ranking.ranking import compare as compare
from analyses.ranking.ranking import rank as rank
from analyses.ranking.ranking import rank_all as rank_all
from analyses.ranking.results import RankedUnit as RankedUnit
from analyses.ranking.results import Ranking as Ranking
from analyses.unit_tables.describe_units import describe_units as describe_units
from analyses.unit_tables.explained_shares import ExplainedShare as ExplainedShare
from analyses.unit_tables.unit_table import DescribedUnit as DescribedUnit
from analyses.unit_tables.unit_table import UnitTable as UnitTable
from analyses.unit_tables.unit_table import share_difference as share_difference
