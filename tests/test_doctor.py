"""The doctor says what is there and what to do about what is not."""

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


def test_a_full_disk_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 2**20})())
    assert next(finding for finding in doctor.examine() if finding.subject == "Disk").state == "problem"
