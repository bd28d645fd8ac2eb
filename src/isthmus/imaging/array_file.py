"""A ``.npy`` file that grows row by row."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


class ArrayFile:
    """A ``.npy`` file written row by row.

    Rows are written, not mapped: a full disk then is an error that can be told, where a mapped page would end the
    process. NumPy pads the header so that the number of rows can be filled in at the end.

    Parameters
    ----------
    path : Path
        A file to be made.
    dtype : type
        Of the numbers.
    shape : tuple of int
        Of one row.
    """

    def __init__(self, path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> None:
        self._dtype, self._shape, self._rows = np.dtype(dtype), shape, 0
        self._stream = path.open("wb")
        self._header()

    def _header(self) -> None:
        np.lib.format.write_array_header_1_0(
            self._stream,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self._rows, *self._shape),
            },
        )

    def append(self, row: NDArray[Any]) -> None:
        """Write one more row."""
        assert row.shape == self._shape, (row.shape, self._shape)
        self._stream.write(np.ascontiguousarray(row, dtype=self._dtype).tobytes())
        self._rows += 1

    def close(self) -> None:
        """Fill in the number of rows."""
        try:
            self._stream.seek(0)
            self._header()
        finally:
            self._stream.close()
