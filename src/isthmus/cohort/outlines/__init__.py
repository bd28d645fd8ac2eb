"""Outlines that readers drew with other tools, found beside the pictures, whatever the tool saved them as."""

from isthmus.cohort.outlines.index import OutlineIndex
from isthmus.cohort.outlines.outline import ClipOutline, Outline, OutlineFault

__all__ = ["ClipOutline", "Outline", "OutlineFault", "OutlineIndex"]
