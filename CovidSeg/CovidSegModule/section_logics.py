"""The logic of each section of the panel, connected with those that it needs. Add new sections here."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .logic.agreement import AgreementLogic
from .logic.comparison import ComparisonLogic
from .logic.correction import CorrectionLogic
from .logic.display import DisplayLogic
from .logic.export import ExportLogic
from .logic.followup import FollowupLogic
from .logic.input import InputLogic
from .logic.install import InstallLogic
from .logic.lesions import LesionsLogic
from .logic.numbers import NumbersLogic
from .logic.report import ReportLogic
from .logic.results import ResultsLogic
from .logic.threshold import ThresholdLogic
from .logic.worklist import WorklistLogic
from .parameters import Parameters
from .scene.review import Reviews


class SectionLogics(ABC):
    """One attribute for each section.

    Args:
        input_logic: The logic of the section "input" to use instead of a new one.
        results_logic: The logic of the section "results" to use instead of a new one.
    """

    def __init__(self, input_logic: InputLogic | None = None, results_logic: ResultsLogic | None = None):
        self.input = input_logic or InputLogic()
        self.install = InstallLogic(self.input)
        self.reviews = Reviews()
        self.numbers = NumbersLogic(self.reviews)
        self.results = results_logic or ResultsLogic(self.reviews, self.numbers)
        self.display = DisplayLogic()
        self.threshold = ThresholdLogic(self.reviews)
        self.comparison = ComparisonLogic(self.reviews)
        self.lesions = LesionsLogic(self.reviews)
        self.correction = CorrectionLogic(self.reviews)
        self.followup = FollowupLogic(self.reviews, self.input, self.comparison)
        self.report = ReportLogic(self.reviews, self.input, self.numbers, self.comparison, self.lesions, self.threshold)
        self.export = ExportLogic(self.reviews, self.input, self.comparison, self.lesions)
        self.worklist = WorklistLogic(self.reviews, self.input, self.numbers, self.lesions)
        self.agreement = AgreementLogic(self.worklist)

    @abstractmethod
    def parameters(self) -> Parameters:
        """Return the parameters of the current scene."""
