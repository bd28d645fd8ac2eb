"""The commands. Thin: each reads its arguments, imports its room, calls one function and shows what came out."""

# isort: off
# In the order of the help page.
from isthmus.cli.app import app, main
from isthmus.cli import cohort_import
from isthmus.cli import cohort_check
from isthmus.cli import cohort_dicom
from isthmus.cli import deidentify
from isthmus.cli import perfusion
from isthmus.cli import elasticity
from isthmus.cli import run
from isthmus.cli import validate
from isthmus.cli import evaluate
from isthmus.cli import sample_size
from isthmus.cli import predict
from isthmus.cli import localiser
from isthmus.cli import serve
from isthmus.cli import accelerate
from isthmus.cli import export
from isthmus.cli import bundle
from isthmus.cli import rate
from isthmus.cli import models
from isthmus.cli import first_contact
# isort: on

__all__ = [
    "accelerate", "app", "bundle", "cohort_check", "cohort_dicom", "cohort_import", "deidentify", "elasticity",
    "evaluate", "export", "first_contact", "localiser", "main", "models", "perfusion", "predict", "rate", "run",
    "sample_size", "serve", "validate",
]  # fmt: skip
