"""From exposures to a served model: rows, split, fit, evaluation, publication."""
