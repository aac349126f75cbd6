"""Recordings, and the blocks, sites and units that every source of activations has."""

from activations.blocks import Block as Block
from activations.blocks import Source as Source
from activations.lane_differences import LaneDifference as LaneDifference
from activations.lazy_activations import LazyActivations as LazyActivations
from activations.recordings.checking import Check as Check
from activations.recordings.checking import check as check
from activations.recordings.recording import Recording as Recording
from activations.site_names import select_sites as select_sites
from activations.units import Site as Site
from activations.units import Unit as Unit
