"""What a folder is: pictures for a model of stills; one clip, or many, for a model of clips."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isthmus.errors import InputError
from isthmus.inference.input_files import find_clips, find_pictures
from isthmus.inference.named_files import case_of_files
from tests.imaging.videos import jpeg, moving, write_avi
from tests.inference.small_clips import clip


@pytest.fixture
def sweeps(tmp_path: Path) -> Path:
    """A video, two cases of frames with masks beside one, a still and a text."""
    folder = tmp_path / "sweeps"
    for case in ("a", "b"):
        clip(folder / case / "images", frames=3)
    (folder / "a" / "masks").mkdir()
    for number in range(3):
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "a" / "masks" / f"{number}.png")
    write_avi(folder / "c.avi", [jpeg(frame) for frame in moving(2)])
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "still.png")
    (folder / "notes.txt").write_text("nothing")
    return folder


def test_a_folder_of_clips_gives_each_of_them_and_no_masks(sweeps: Path) -> None:
    assert [path.relative_to(sweeps).as_posix() for path in find_clips([sweeps])] == ["a/images", "b/images", "c.avi"]


def test_a_folder_of_numbered_frames_is_one_clip(sweeps: Path) -> None:
    frames = sweeps / "a" / "images"
    assert find_clips([frames, sweeps / "c.avi"]) == [frames, sweeps / "c.avi"]


def test_for_a_model_of_stills_every_frame_is_a_picture(sweeps: Path) -> None:
    assert len(find_pictures([sweeps / "a" / "images"])) == 3


def test_a_folder_without_clips_and_an_input_that_is_not_there_are_told(sweeps: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no clip in this folder"):
        find_clips([tmp_path / "empty"])
    with pytest.raises(InputError, match=r"no such file or folder.*Next: there is no 'absent.avi' in .*sweeps"):
        find_clips([sweeps / "absent.avi"])


def test_a_path_that_is_not_there_is_answered_with_what_is_called_nearly_so(sweeps: Path) -> None:
    with pytest.raises(InputError, match=r"Next: did you mean 'c\.avi'\?"):
        find_clips([sweeps / "cc.avi"])
    # Where a folder on the way is misspelt, it is that which is named.
    with pytest.raises(InputError, match=r"Next: did you mean 'images'\?"):
        case_of_files([f"cine={sweeps / 'a' / 'image' / '0.png'}"], ["cine"])


def test_a_file_that_does_not_say_whose_it_is_is_answered_in_the_words_of_the_command(sweeps: Path) -> None:
    with pytest.raises(InputError, match=r"whose this file is.*expected MODALITY=FILE, the name one of bmode,swe"):
        case_of_files([str(sweeps / "c.avi")], ["bmode", "swe"])
