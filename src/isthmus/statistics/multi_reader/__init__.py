"""Several readers of the same cases: whether a condition, or a model, is better for readers like these.

``study``: ``ReaderStudy`` (who read what, under which condition), ``ReaderStudy.from_rows``, ``ReaderStudy.crossed``.
``figures``: ``figures_of_merit``, ``covariance_of_figures``, ``jackknife_figures`` (AUC, sensitivity, specificity,
accuracy).
``components``: ``VarianceComponents``, ``variance_components``, ``mean_squares``.
``result``: ``MultiReaderResult``, ``OverallTest``, ``NamedComparison`` (what both methods below return).
``obuchowski_rockette``: ``obuchowski_rockette`` (reads), ``obuchowski_rockette_of_figures`` (published matrices).
``dorfman_berbaum_metz``: ``dorfman_berbaum_metz`` (jackknife pseudovalues; the same answer in another form).
``standalone``: ``model_against_readers`` -> ``ModelAgainstReaders`` (one model beside the mean reader).
``power``: ``PlanningValues``, ``power``, ``sample_size`` (readers and cases of the next study).
``unbiased``: ``unbiased_covariance`` (Gallas's one-shot moments, as iMRMC has them).

A reader's figure is computed within the reader; scores of different readers are never pooled. The unit of cases is the
group (patient) throughout. Fewer than five readers cannot stand for readers in general: they are taken as fixed, and
``notes`` says so.
"""
