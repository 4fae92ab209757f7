"""The probe panel: what every item would score, and why, at the beginning of each epoch."""
