"""Readers of public data sets, one a file; each writes a cohort folder and a line of report for every file it met."""
