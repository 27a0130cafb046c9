"""Notices that every output carries."""

#: Shown wherever a result, a model or a program is presented. The report stores it as `notice`.
NOT_FOR_DIAGNOSIS = "Research software. Not for diagnosis."
