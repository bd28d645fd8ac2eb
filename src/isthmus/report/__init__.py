"""From predictions to evidence, and from evidence to a report worth printing."""
