"""Cohorts: a folder of tables and pictures, its splits, its checks, and the readers of public data sets."""
