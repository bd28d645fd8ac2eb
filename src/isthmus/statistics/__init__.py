"""Statistics of diagnostic accuracy as pure functions of NumPy arrays.

``roc`` (one AUC, several, compared), ``roc_bootstrap``, ``partly_paired``, ``cross_validated`` (the same within folds),
``roc_band``, ``partial_auc``, ``fixed_operating_point``, ``precision_recall``, ``multiclass``,
``efficiency`` (beside an ideal observer);
``confusion``, ``proportions``, ``thresholds`` (calls); ``calibration`` (making probabilities right) and
``calibration_measures`` (saying how right they are); ``bootstrap``; ``interval`` (what all of them return);
``multi_reader`` (several readers of the same cases: a package with a table of contents of its own), ``matched_point``
and ``mean_reader`` (a model beside them); ``category_agreement``, ``intraclass``, ``agreement`` (among readers);
``bolus`` and ``perfusion_features`` (contrast agent over time).

Rows are cases, `groups` names whom they belong to, and every interval is over groups. Input without an answer raises
``ValueError`` with the row that is wrong; an answer that does not exist is NaN with a note that says why.
"""
