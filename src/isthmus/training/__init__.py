"""Fits: from prepared pixels and a split to one network's weights, learning curves and predictions."""
