"""Comparisons over strategies and seeds, with the statistics that say what a difference is worth."""
