"""What the room refuses on purpose: a status, and the words for it in the catalogue."""


class Refusal(Exception):  # noqa: N818  (a refusal, named as what it is)
    """A request that is answered with 4xx and one clear sentence.

    Parameters
    ----------
    status : int
        The HTTP status.
    problem : str
        Which of the catalogue's ``problems`` it is; ``what``, and where they help ``expected`` and ``next``.
    field : str, optional
        The field of the form or of the JSON that is wrong.
    headers : dict, optional
        Further headers of the answer.
    values : str or int
        What the words name. Nothing secret and no patient: they are shown.
    """

    def __init__(
        self,
        status: int,
        problem: str,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
        **values: str | int,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem
        self.field = field
        self.headers = headers or {}
        self.values = values
