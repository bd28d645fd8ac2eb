"""The virtual cohort: a physical simulator of thyroid ultrasound whose best possible AUC is known."""
