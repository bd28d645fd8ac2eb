"""Calibrated probabilities of sonographic descriptors: each descriptor by itself, as its codes allow.

Of a descriptor whose codes exclude each other the probabilities are calibrated together and sum to 1; of one of which a
nodule may have several, each code is calibrated by itself.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isthmus.models.bundle_spec import Calibration, DescriptorCalibration
from isthmus.models.bundle_spec import ClassCalibration as ClassCalibrationFacts
from isthmus.statistics.calibration import LogisticCalibration, fit_calibration
from isthmus.statistics.class_calibration import ClassCalibration, fit_class_calibration
from isthmus.tables.vocabulary import MULTI_VALUED

Described = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]
"""Of one descriptor's nodules: probabilities [N, codes], which codes readers wrote [N, codes], groups [N]."""


def fit_descriptor_calibration(
    heads: Mapping[str, Sequence[str]], described: Mapping[str, Described], fitted_on: str
) -> DescriptorCalibration:
    """Return the calibration that out-of-fold descriptions can carry.

    Parameters
    ----------
    heads : mapping
        Descriptor to its codes, in the order of the columns.
    described : mapping
        Descriptor to what was said of nodules whose readers recorded it.
    fitted_on : str
        In words.

    Returns
    -------
    DescriptorCalibration
        By :func:`isthmus.statistics.class_calibration.fit_class_calibration` (intercepts only where a code is rare)
        or, code by code, :func:`isthmus.statistics.calibration.fit_calibration`. What too few nodules tell of stays as
        the head gives it, and says so.
    """
    exclusive, each_code = {}, {}
    for name, codes in heads.items():
        values, has, groups = described[name]
        if name in MULTI_VALUED:
            each_code[name] = {
                code: _of_code(has[:, place], values[:, place], groups, fitted_on) for place, code in enumerate(codes)
            }
        else:
            exclusive[name] = _of_codes(values, has, groups, fitted_on)
    return DescriptorCalibration(exclusive=exclusive, each_code=each_code)


def _of_codes(
    values: NDArray[np.float64], has: NDArray[np.bool_], groups: NDArray[np.str_], fitted_on: str
) -> ClassCalibrationFacts:
    if (has.sum(axis=0) > 0).sum() < 2:
        fitted = ClassCalibration(1.0, (0.0,) * has.shape[1], "none: fewer than two codes to tell apart")
    else:
        fitted = fit_class_calibration(has.argmax(axis=1), values, groups)
    return ClassCalibrationFacts(**fitted.as_dict(), fitted_on=fitted_on)


def _of_code(
    has: NDArray[np.bool_], values: NDArray[np.float64], groups: NDArray[np.str_], fitted_on: str
) -> Calibration:
    if has.all() or not has.any():
        fitted = LogisticCalibration(0.0, 1.0, "none: every nodule, or no nodule, has it")
    else:
        fitted = fit_calibration(has, values, groups)
    return Calibration(**fitted.as_dict(), fitted_on=fitted_on)


def calibrate_descriptor(
    calibration: DescriptorCalibration, descriptor: str, probabilities: ArrayLike
) -> NDArray[np.float64]:
    """Return a descriptor's calibrated probabilities [N, codes], in the order of its head.

    Parameters
    ----------
    calibration : DescriptorCalibration
        Of a bundle or a fold.
    descriptor : str
        Which.
    probabilities : array_like [N, codes]
        As the heads give them.
    """
    values = np.asarray(probabilities, dtype=np.float64)
    if descriptor in calibration.exclusive:
        own = calibration.exclusive[descriptor]
        return ClassCalibration(own.slope, tuple(own.intercepts), own.method).apply(values)
    columns = [
        LogisticCalibration(one.intercept, one.slope, one.method).apply(values[:, place])
        for place, one in enumerate(calibration.each_code[descriptor].values())
    ]
    return np.stack(columns, axis=1)
