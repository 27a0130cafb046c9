"""How masks are made for an evaluation: as in clinical use, or as the papers report them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..metrics.measurement import FINDINGS
from ..models import Model
from ..models.loading import recipe_of

CLINICAL, PAPER = "clinical", "paper"
PROTOCOLS = (CLINICAL, PAPER)
#: Where the lungs within which a network looks come from.
LUNGS = ("predicted", "target")


@dataclass(frozen=True)
class Protocol:
    """How masks are made.

    Attributes:
        name: "clinical": `pipeline.segment`, as in use: the model's threshold, infection only in the lungs, no small
            pieces. "paper": what the networks return, without post-processing: the most probable label, or a
            probability of at least 0.5 for networks whose labels do not exclude each other.
        target_lungs: Networks that look within the lungs are given those of the data set, as in some papers. Only for
            "paper".
    """

    name: str = CLINICAL
    target_lungs: bool = False

    @property
    def description(self) -> str:
        """Two or three sentences for reports."""
        if self.name == CLINICAL:
            return (
                "Protocol: clinical. The masks are those of clinical use: the threshold of the model, infection only "
                "within the lungs, and without small pieces."
            )
        lungs = "of the data set" if self.target_lungs else "that were predicted"
        return (
            "Protocol: paper. The masks are what the networks return, without post-processing: the most probable "
            "label, or a probability of at least 0.5 if labels do not exclude each other. Networks that look within "
            f"the lungs are given those {lungs}. Whole scans without masks are measured as in clinical use."
        )


def choose_protocol(models: Sequence[Model], name: str | None, lungs: str | None) -> Protocol:
    """Return the protocol of an evaluation.

    Args:
        models: The models to evaluate.
        name: One of `PROTOCOLS`; None for "paper" if all models have recipes of papers with results, else "clinical".
        lungs: One of `LUNGS`; "predicted" if None.

    Raises:
        InputError: The lungs of the data set are wanted in the clinical protocol, or a model finds no infection, which
            that protocol needs.
    """
    if name is None:
        name = PAPER if models and all(is_published(model) for model in models) else CLINICAL
    if lungs == "target" and name == CLINICAL:
        raise InputError("In clinical use, the lungs are predicted. Give --protocol paper with --lungs target.")
    for model in models:
        if name == CLINICAL and (finding := recipe_of(model).infection.finding) != "infection":
            raise InputError(
                f'In clinical use a model finds infection, but "{model.name}" finds {finding}. Give --protocol paper.'
            )
    return Protocol(name, lungs == "target")


def is_published(model: Model) -> bool:
    """Return whether the recipe of a model is that of a paper which reports results."""
    return any(finding in recipe_of(model).reported for finding in FINDINGS)
