"""Recipes: the networks of a published system, their input and their training.

`recipes.load` reads a recipe from its TOML file; the fields of these dataclasses are the keys of the file. Sizes and
spacings are along (slices, rows, columns), like arrays.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Names of the stages, in the order in which they run.
STAGES = ("lungs", "infection")
#: Labels that the logits of a network can stand for.
BACKGROUND = "background"
LUNG_LABELS = ("lungs", "right_lung", "left_lung")
INFECTION_LABEL = "infection"
#: Label of networks for lung tumours, which QC-HC U-Net is trained on before COVID-19.
TUMOUR_LABEL = "tumour"
LABELS = (BACKGROUND, *LUNG_LABELS, INFECTION_LABEL, TUMOUR_LABEL)


@dataclass(frozen=True)
class Component:
    """A component that is chosen by name, such as an optimiser, in TOML `{ name = "adam", eps = 1e-8 }`.

    Attributes:
        name: Name of the component.
        arguments: Its arguments; missing ones have the defaults of the component.
    """

    name: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Augmentation(Component):
    """A random transform of training images.

    Attributes:
        probability: Probability of applying it, above 0 and at most 1.
        only: Name of the stage that it is applied to; all stages if None.
    """

    probability: float = 1.0
    only: str | None = None


@dataclass(frozen=True)
class Intensity:
    """Conversion of HU to grey values.

    Attributes:
        window_hu: HU that become 0 and 1. Values outside are clipped.
        grey_levels: Number of levels that the grey values are rounded to, 256 for eight bits; not rounded if None.
        zscore: Subtract the mean of the scan and divide by its standard deviation.
    """

    window_hu: tuple[float, float]
    grey_levels: int | None = None
    zscore: bool = False


@dataclass(frozen=True)
class Slices:
    """Input of a two-dimensional network: axial slices.

    Attributes:
        size: Rows and columns of the input.
        count: Odd number of neighbouring slices that are the channels of the input. The middle one is segmented.
        step_mm: Distance in mm between these slices.
        stretch: Resize the region to `size` whatever its shape. Otherwise it is extended until its shape is that of
            `size`.
    """

    size: tuple[int, int]
    count: int = 1
    step_mm: float = 2.5
    stretch: bool = False


@dataclass(frozen=True)
class Patches:
    """Input of a three-dimensional network: patches.

    Attributes:
        size: Slices, rows and columns of the input.
        spacing_mm: Voxel size in mm that the scan is resampled to; not resampled if None.
        overlap: Fraction of a patch that the next one covers again at inference, from 0 to 0.9.
        blend: Weights of overlapping patches: "constant" (equal) or "gaussian" (higher in the middle of a patch).
        foreground: Fraction of the training patches that are placed to contain foreground, from 0 to 1.
    """

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None = None
    overlap: float = 0.5
    blend: str = "constant"
    foreground: float = 0.0


@dataclass(frozen=True)
class Stage:
    """A network and its input. A stage has either `slices` or `patches`.

    Attributes:
        network: Name in `networks.NETWORKS`.
        arguments: Arguments of the network.
        labels: Labels of the logits, one per channel. With "background" the labels are mutually exclusive (softmax);
            without it each label is a separate binary decision (sigmoid).
        intensity: Conversion of HU to grey values.
        region: Region that the scan is cropped to: "whole", "body" or "lungs".
        slices, patches: Input of the network within the region.
        margin_mm: Margin in mm around the region.
        mask_margin_mm: The input is set to air at a distance of more than this from the lungs, in mm; not masked if
            None.
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
        """Whether the labels are mutually exclusive."""
        return BACKGROUND in self.labels

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Channels and spatial sizes of the input, without the batch axis."""
        if self.slices is not None:
            return (self.slices.count, *self.slices.size)
        assert self.patches is not None
        return (1, *self.patches.size)

    @property
    def finds(self) -> tuple[str, ...]:
        """The structures that the labels contain: "lungs", then "infection" or "tumour"."""
        lungs = ("lungs",) if any(label in self.labels for label in LUNG_LABELS) else ()
        return (*lungs, *(label for label in (INFECTION_LABEL, TUMOUR_LABEL) if label in self.labels))

    @property
    def finding(self) -> str:
        """The structure that the stage is trained and measured for: the infection or tumour, otherwise the lungs."""
        return self.finds[-1]


@dataclass(frozen=True)
class Split:
    """How the paper divides its scans. `covidseg train` draws such a split unless it is given another one.

    Attributes:
        train, validation, test: Fractions, or numbers of scans. Slices are divided by patient, whatever the paper does.
        folds: Number of cross-validation folds; None if the paper has no cross-validation. If there are folds and no
            `validation`, one fold of the training patients is used for validation.
    """

    train: float
    test: float
    validation: float = 0.0
    folds: int | None = None


@dataclass(frozen=True)
class Training:
    """How the stages are trained.

    Attributes:
        epochs: Maximum number of epochs, by stage.
        batch: Batch size: slices or patches in an optimiser step, of all processes together.
        loss: One of `training.losses.LOSSES`.
        optimiser: One of `training.optimisation.OPTIMISERS`, with its learning rate.
        schedule: Learning-rate schedule, one of `training.optimisation.SCHEDULES`.
        augmentation: Transforms from `training.augmentation.AUGMENTATIONS`, applied in this order.
        steps_per_epoch: Number of optimiser steps in an epoch; one pass over all slices or patches if None.
        sampling: Weights of the slices when they are drawn: "slices" (equal), "millimetres" (the distance to the next
            slice, so that a slice of 5 mm is drawn five times as often as one of 1 mm with its very similar
            neighbours) or "data-sets" (as many of each data set).
        shares: By stage, relative shares of the slices that are drawn from kinds of cases: "scans", "single-slices",
            and "clean-scans", which show no infection. A kind that is not named has the share 1. Within a kind, slices
            are drawn by `sampling`. A stage that is not named draws all slices by `sampling` alone.
        skip_dark: Leave out slices that show hardly anything: see `training.slice_dataset.is_dark`.
        lungs: Lungs within which the infection stage is trained: those of the data set ("target"), or those that the
            lung stage of the same run predicts ("predicted"), as in use.
        early_stopping: Number of epochs without improvement of the monitored value after which the training ends; never
            if None.
        validate_every: Number of epochs from one validation to the next. The last epoch is always validated. Every
            epoch is if early stopping, the schedule "plateau" or the selection of the best weights depends on it.
        watch: Value that early stopping and the schedule "plateau" monitor: "validation-dice", or the training "loss".
        keep: Weights that are kept: those of the "last" epoch, or of the "best" one by validation Dice.
        clip: Maximum L2 norm of the gradient, to which longer gradients are scaled down; 0 for no limit.
        average: Decay of the exponential moving average of the weights after its warm-up, from 0 to below 1; 0 for no
            average.
        final_weight: Weight of the final output's loss in networks with deep supervision, above 0 and at most 1.
        starts_from: Recipe whose trained weights are the initial weights; random weights if None.
        data: Names of the data sets of the paper.
        split: How the paper divides its data; a tenth for validation and a fifth for the test if None.
    """

    epochs: dict[str, int]
    batch: int
    loss: Component
    optimiser: Component
    schedule: Component = field(default_factory=lambda: Component("constant"))
    augmentation: tuple[Augmentation, ...] = ()
    steps_per_epoch: int | None = None
    sampling: str = "slices"
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    skip_dark: bool = False
    lungs: str = "target"
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
    """A system that segments the lungs and the infection in them, with one network or two.

    Attributes:
        name: Short name for the command line.
        title: Name that is shown to people.
        summary: One or two sentences about the system.
        source: Citation of the publication.
        infection: The stage that segments the infection, and possibly the lungs too.
        training: How the stages are trained.
        lungs: The stage before it that segments the lungs, if there is one.
        lungs_from: Name of an installed model that segments the lungs, if no stage does.
        reported: Results in the publication, by structure and key of `metrics.measurement.OVERLAP_METRICS`; `ablation`
            lists the rows of an ablation table.
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
        """The stages by name, in the order in which they run."""
        return dict(self._named())

    def _named(self) -> Iterator[tuple[str, Stage]]:
        if self.lungs is not None:
            yield "lungs", self.lungs
        yield "infection", self.infection
