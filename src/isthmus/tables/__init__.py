"""The tables of contracts 1 (cohort) and 2 (predictions): their schemas, and one way to read and write them."""
