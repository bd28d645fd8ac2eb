"""What stops a run before any training."""

import builtins

import pytest

from isthmus.errors import InputError
from isthmus.protocol.planning import check_libraries
from isthmus.protocol.resolve import resolve_protocol


def test_a_fused_arm_s_classifier_that_cannot_be_loaded_here_is_refused_with_what_to_install(monkeypatch):
    real = builtins.__import__

    def bare(name, *rest):
        if name == "lightgbm":
            raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")
        return real(name, *rest)

    check_libraries(resolve_protocol("olnm2025", "paper", []))
    monkeypatch.setattr(builtins, "__import__", bare)
    check_libraries(resolve_protocol("olnm2025", "smoke", []))
    with pytest.raises(InputError, match=r"LightGBM cannot be loaded: libgomp.* Next: install the system's OpenMP"):
        check_libraries(resolve_protocol("olnm2025", "paper", []))
