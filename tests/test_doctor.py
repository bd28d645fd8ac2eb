"""The doctor says what is there and what to do about what is not."""

import builtins
import importlib.util

from isthmus import doctor


def test_every_subject_is_examined_once():
    subjects = [finding.subject for finding in doctor.examine()]
    assert len(subjects) == len(set(subjects))
    assert {"Python", "Isthmus", "Training", "Disk", "Initial weights"} <= set(subjects)


def test_a_machine_without_torch_is_told_what_to_install(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else real(name))
    training = next(finding for finding in doctor.examine() if finding.subject == "Training")
    assert training.state == "absent"
    assert "isthmus[train]" in training.sentence


def test_a_machine_without_openmp_is_told_what_to_install(monkeypatch):
    real = builtins.__import__

    def bare(name, *rest):
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", bare)
    found = {finding.subject: finding for finding in doctor.examine()}
    assert found["LightGBM"].state == "absent"
    assert "libgomp.so.1: cannot open shared object file" in found["LightGBM"].sentence
    assert "Debian: libgomp1" in found["LightGBM"].sentence
    assert found["XGBoost"].state == "ok"


def test_a_full_disk_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2**20})())
    assert next(finding for finding in doctor.examine() if finding.subject == "Disk").state == "problem"
