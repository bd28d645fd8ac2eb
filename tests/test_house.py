"""The house keeps its rules: floors, the public face, a light start."""

import subprocess
import sys

import isthmus


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_no_room_imports_from_its_own_floor_or_above():
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


def test_the_public_face_is_these_names_and_no_others():
    assert dir(isthmus) == ["evaluate", "load_bundle", "load_cohort", "open_run", "run"]
    assert all(callable(getattr(isthmus, name)) for name in isthmus.__all__)


def test_the_command_line_starts_without_torch_pandas_or_matplotlib():
    loaded = run_python(
        "import sys, isthmus.cli; print([m for m in ('torch', 'lightning', 'monai', 'pandas', 'matplotlib', 'sklearn', "
        "'scipy', 'cv2', 'pydicom') if m in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_evaluation_is_imported_without_torch():
    loaded = run_python("import sys, isthmus.report.evaluate; print('torch' in sys.modules)")
    assert loaded.strip() == "False"
