"""Models that read a text: live activations, and recordings of them."""

from activations.reading.extraction import Extraction as Extraction
from activations.reading.extraction import extract as extract
from activations.reading.lanes.compute_options import ComputeOptions as ComputeOptions
from activations.reading.live import LiveActivations as LiveActivations
from activations.reading.rereading import live as live
