"""A recipe: what a published system fixes. Networks, what they see, how they are trained. Code says how.

`recipes.load` reads one from its TOML file. Sizes and spacings are along (slices, rows, columns), as arrays are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Names of the stages, in the order in which they run.
STAGES = ("lungs", "infection")
#: What the logit maps of a network can stand for.
BACKGROUND = "background"
LUNG_LABELS = ("lungs", "right_lung", "left_lung")
INFECTION_LABEL = "infection"
#: What a network that is only a start for another one may be trained on.
TUMOUR_LABEL = "tumour"
LABELS = (BACKGROUND, *LUNG_LABELS, INFECTION_LABEL, TUMOUR_LABEL)


@dataclass(frozen=True)
class Component:
    """One of several named things with its arguments, in TOML `{ name = "adam", eps = 1e-8 }`.

    Attributes:
        name: Which of them.
        arguments: Its arguments; those not given are its own defaults.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Augmentation(Component):
    """A random change of a training image; a Choice with two keys more.

    Attributes:
        probability: How often it is applied.
        only: The stage that it is for; all stages if None.
    """

    probability: float = 1.0
    only: str | None = None


@dataclass(frozen=True)
class Intensity:
    """From HU to grey values.

    Attributes:
        window_hu: HU that become 0 and 1; what lies beyond is cut off.
        grey_levels: Rounded to so many levels, 256 for eight bits; None to keep them all.
        zscore: Subtract the scan's mean and divide by its standard deviation.
    """

    window_hu: tuple[float, float]
    grey_levels: int | None = None
    zscore: bool = False


@dataclass(frozen=True)
class Slices:
    """A two-dimensional network sees axial slices.

    Attributes:
        size: Rows and columns of its input.
        count: Neighbouring slices given as channels, the middle one being segmented.
        step_mm: Distance of those slices.
    """

    size: tuple[int, int]
    count: int = 1
    step_mm: float = 2.5


@dataclass(frozen=True)
class Patches:
    """A three-dimensional network sees boxes.

    Attributes:
        size: Slices, rows and columns of its input.
        spacing_mm: Voxel size that the scan is resampled to; its own if None.
        overlap: Share of a patch that the next one covers again, when a scan is segmented.
        blend: How overlapping patches are averaged: "constant" (all alike) or "gaussian" (their middle counts more).
        foreground: Share of the patches in training that are placed so that they hold something of what is to be found.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    overlap: float = 0.5
    blend: str = "constant"
    foreground: float = 0.0


@dataclass(frozen=True)
class Stage:
    """One network and what it sees: slices or patches.

    Attributes:
        network: Name in `networks.NETWORKS`.
        arguments: The network's arguments.
        labels: What its logit maps stand for. With "background" they exclude each other (softmax), without it each is
            a yes or no of its own (sigmoid).
        intensity: From HU to grey values.
        region: What is cut out of the scan: "whole", "body" or "lungs".
        slices, patches: How the region is given to the network; one of the two.
        margin_mm: Added around the region.
        mask_margin_mm: The input is set to air farther than this from the lungs; nothing is masked if left out.
    """

    network: str
    arguments: dict[str, Any]
    labels: tuple[str, ...]
    intensity: Intensity
    region: str
    slices: Slices | None = None
    patches: Patches | None = None
    margin_mm: float = 0.0
    mask_margin_mm: float | None = None

    @property
    def exclusive(self) -> bool:
        """Whether its labels exclude each other."""
        return BACKGROUND in self.labels

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels and spatial sizes of the network's input."""
        if self.slices is not None:
            return (self.slices.count, *self.slices.size)
        assert self.patches is not None
        return (1, *self.patches.size)

    @property
    def finds(self) -> tuple[str, ...]:
        """The structures that can be told from its labels, of `STAGES`."""
        lungs = any(label in self.labels for label in LUNG_LABELS)
        return tuple(name for name, there in zip(STAGES, (lungs, INFECTION_LABEL in self.labels), strict=True) if there)


@dataclass(frozen=True)
class Split:
    """How the paper divides its patients or slices.

    Attributes:
        train, validation, test: Shares, or numbers of patients.
        folds: Folds of its cross-validation; None where there is none.
    """

    train: float
    test: float
    validation: float = 0.0
    folds: int | None = None


@dataclass(frozen=True)
class Training:
    """How the stages are trained.

    Attributes:
        epochs: The most passes over the data, by stage.
        batch: Slices or patches a step.
        loss: Of `training.losses.LOSSES`.
        optimiser: Of `training.optimisation.OPTIMISERS`, with its learning rate.
        schedule: How the learning rate changes, of `training.optimisation.SCHEDULES`.
        augmentation: Of `training.augmentation.AUGMENTATIONS`, in this order.
        steps_per_epoch: Steps that count as a pass; all slices once if None.
        sampling: How often a slice is drawn: "slices" (all alike) or "millimetres" (as its share of the lung that it
            stands for: one of 5 mm five times as often as one of 1 mm, whose neighbours show nearly the same).
        early_stopping: Epochs without anything better, by `watch`, after which training ends; None for all epochs.
        validate_every: Epochs from one validation to the next; the last epoch has one too, and every epoch where early
            stopping, the plan or the weights that are kept depend on it.
        watch: What early stopping and the plan "plateau" go by: "validation-dice", or "loss", that of training.
        keep: Which weights are the result: those of the "last" epoch, or of the "best" by validation Dice.
        clip: Longest that the gradient of a step may be; it is shortened to that.
        average: Decay of the exponential moving average of the weights, to which it warms up; 0 for none.
        final_weight: Weight of the final map's loss where a network has deep supervision.
        starts_from: Recipe whose trained weights are the start; random weights if None.
        data: Names of the data sets.
        split: How the paper divides them.
    """

    epochs: dict[str, int]
    batch: int
    loss: Component
    optimiser: Component
    schedule: Component = field(default_factory=lambda: Component("constant"))
    augmentation: tuple[Augmentation, ...] = ()
    steps_per_epoch: int | None = None
    sampling: str = "slices"
    early_stopping: int | None = None
    validate_every: int = 4
    watch: str = "validation-dice"
    keep: str = "last"
    clip: float = 1.0
    average: float = 0.0
    final_weight: float = 0.5
    starts_from: str | None = None
    data: tuple[str, ...] = ()
    split: Split | None = None


@dataclass(frozen=True)
class Recipe:
    """A system: lungs, and the infection in them, by one network or two.

    Attributes:
        name: Short name, as typed.
        title: Name as shown.
        summary: One sentence.
        source: Where it comes from: citation.
        infection: The stage that finds the infection, and perhaps the lungs too.
        training: How the stages are trained.
        lungs: The stage before it that finds the lungs, where there is one.
        lungs_from: Name of an installed model whose lungs are taken, where no stage finds any.
        reported: What the paper reports, by structure and metric.
    """

    name: str
    title: str
    summary: str
    source: str
    infection: Stage
    training: Training
    lungs: Stage | None = None
    lungs_from: str | None = None
    reported: dict[str, Any] = field(default_factory=dict)

    @property
    def stages(self) -> dict[str, Stage]:
        """The stages that have networks, by name, in the order in which they run."""
        return dict(self._named())

    def _named(self) -> Iterator[tuple[str, Stage]]:
        if self.lungs is not None:
            yield "lungs", self.lungs
        yield "infection", self.infection
