"""The losses against the papers' formulas, computed in numpy."""

import numpy as np
import pytest
import torch

from CovidSegLib.training.losses import (
    LOSSES,
    BCEDiceLoss,
    DeepSupervisionLoss,
    DiceCELoss,
    EdgeLoss,
    TverskyCELoss,
    outline_of,
)


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.fixture(params=[(5, 6), (3, 4, 5)], ids=["2D", "3D"])
def classes(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits (2, 4, *spatial), labels (2, 1, *spatial) without a 3 in the first patch, and the labels one-hot."""
    logits = 2 * rng.normal(size=(2, 4, *request.param))
    labels = rng.integers(0, 4, size=(2, 1, *request.param))
    labels[0][labels[0] == 3] = 0
    return logits, labels, np.concatenate([labels == label for label in range(4)], axis=1).astype(float)


@pytest.fixture(params=[1, 2], ids=["one channel", "two channels"])
def binary(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Logits and mask (2, channels, 4, 5, 6); the first patch is empty."""
    logits = 2 * rng.normal(size=(2, request.param, 4, 5, 6))
    mask = (rng.random(logits.shape) < 0.3).astype(float)
    mask[0] = 0
    return logits, mask


def loss_of(loss: torch.nn.Module, logits: np.ndarray, mask: np.ndarray) -> float:
    return float(loss(torch.from_numpy(logits), torch.from_numpy(mask)))


def cross_entropy(logits: np.ndarray, onehot: np.ndarray) -> float:
    return float(-(onehot * np.log(softmax(logits))).sum(axis=1).mean())


def binary_cross_entropy(logits: np.ndarray, mask: np.ndarray) -> float:
    p = 1 / (1 + np.exp(-logits))
    return float(-(mask * np.log(p) + (1 - mask) * np.log(1 - p)).mean())


def dice_loss(logits: np.ndarray, mask: np.ndarray, power: int) -> float:
    """Dice loss over the batch, averaged over channels."""
    p = 1 / (1 + np.exp(-logits))
    losses = [
        1 - 2 * (p[:, c] * y).sum() / ((p[:, c] ** power).sum() + y.sum()) for c, y in enumerate(mask.swapaxes(0, 1))
    ]
    return float(np.mean(losses))


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.3, 0.7)])
def test_tversky_and_cross_entropy(classes: tuple[np.ndarray, ...], alpha: float, beta: float) -> None:
    """QC-HC U-Net, Eqs. 9 to 11."""
    logits, labels, y = classes
    p = softmax(logits)
    tversky = []
    for patch in range(2):
        score = 0.0
        for c in range(4):
            tp = (p[patch, c] * y[patch, c]).sum()
            fn = ((1 - p[patch, c]) * y[patch, c]).sum()
            fp = (p[patch, c] * (1 - y[patch, c])).sum()
            score += tp / (tp + alpha * fn + beta * fp)
        tversky.append(4 - score)
    expected = cross_entropy(logits, y) + np.mean(tversky)
    assert loss_of(TverskyCELoss(alpha, beta), logits, labels) == pytest.approx(expected, abs=1e-4)
    if alpha == beta == 0.5:
        assert loss_of(LOSSES["tversky-ce"](), logits, labels) == pytest.approx(expected, abs=1e-4)


def test_half_dice_half_cross_entropy(classes: tuple[np.ndarray, ...]) -> None:
    """COVID-SegNet, "Implementation Details"."""
    logits, labels, y = classes
    p = softmax(logits)
    losses = [1 - 2 * (p[:, c] * y[:, c]).sum() / (p[:, c].sum() + y[:, c].sum()) for c in range(4)]
    expected = 0.5 * np.mean(losses) + 0.5 * cross_entropy(logits, y)
    assert loss_of(LOSSES["dice-ce"](), logits, labels) == pytest.approx(expected, abs=1e-4)


def test_dice(binary: tuple[np.ndarray, ...]) -> None:
    """RA-UNet, section 4.4, with the denominators of V-Net."""
    assert loss_of(LOSSES["dice"](), *binary) == pytest.approx(dice_loss(*binary, power=2), abs=1e-4)


def test_half_binary_cross_entropy_and_dice(binary: tuple[np.ndarray, ...]) -> None:
    """FV-PASPP U-Net, section 3.1."""
    expected = 0.5 * binary_cross_entropy(*binary) + dice_loss(*binary, power=1)
    assert loss_of(LOSSES["bce-dice"](), *binary) == pytest.approx(expected, abs=1e-4)


def test_half_binary_cross_entropy_and_half_squared_dice(binary: tuple[np.ndarray, ...]) -> None:
    """CHS-Net, Eqs. 13 to 15."""
    expected = 0.5 * binary_cross_entropy(*binary) + 0.5 * dice_loss(*binary, power=2)
    assert loss_of(LOSSES["half-bce-half-squared-dice"](), *binary) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_falls_to_zero_and_takes_integer_masks(name: str) -> None:
    labels = torch.randint(0, 2, (2, 1, 4, 4, 4))
    target = torch.cat([1 - labels, labels], dim=1)
    logits = torch.zeros(2, 2, 4, 4, 4, requires_grad=True)
    mask = labels if name in ("tversky-ce", "dice-ce") else target
    loss = LOSSES[name]()
    loss(logits, mask).backward()
    assert ((logits.grad < 0) == (target == 1)).all()  # every voxel is pulled towards its label
    assert loss(40.0 * target - 20, mask) < 1e-4 < loss(logits, mask) < loss(20 - 40.0 * target, mask)


@pytest.mark.parametrize("name", list(LOSSES))
def test_an_empty_target_with_an_empty_prediction_has_no_loss(name: str) -> None:
    empty = torch.zeros(1, 1, 4, 4, 4, dtype=torch.long)
    is_class_loss = name in ("tversky-ce", "dice-ce")
    logits = torch.full((1, 2 if is_class_loss else 1, 4, 4, 4), -30.0)
    if is_class_loss:
        logits[:, 0] = 30
    assert 0 <= LOSSES[name]()(logits, empty) < 1e-4


def test_deep_supervision_gives_the_final_logits_half_of_the_weight(binary: tuple[np.ndarray, ...]) -> None:
    """FV-PASPP U-Net, section 3.2."""
    first, mask = (torch.from_numpy(array).float() for array in binary)
    maps, plain = [first, first.flip(0), first + 1, 2 * first], BCEDiceLoss()
    each = [float(plain(logits, mask)) for logits in maps]
    loss = DeepSupervisionLoss(plain)
    assert float(loss(maps, mask)) == pytest.approx(0.5 * each[0] + 0.5 / 3 * sum(each[1:]), abs=1e-6)
    assert float(loss(maps[:2], mask)) == pytest.approx(0.5 * each[0] + 0.5 * each[1], abs=1e-6)
    assert float(loss(maps[:1], mask)) == float(loss(maps[0], mask)) == pytest.approx(each[0], abs=1e-6)


def test_an_edge_branch_has_a_loss_of_its_own(binary: tuple[np.ndarray, ...]) -> None:
    """Inf-Net: with 1/4 for the final of four maps, all five terms have the same weight."""
    logits, mask = (torch.from_numpy(array).float() for array in binary)
    maps, plain, edge = [logits, logits.flip(0), logits + 1, 2 * logits], BCEDiceLoss(), -logits[:, :1]
    outline = outline_of(mask).numpy()
    expected = sum(float(plain(each, mask)) for each in maps) + binary_cross_entropy(edge.numpy(), outline)
    loss = EdgeLoss(DeepSupervisionLoss(plain, 0.25))
    assert float(loss([*maps, edge], mask)) == pytest.approx(expected / 4, abs=1e-5)
    assert float(loss(logits, mask)) == pytest.approx(float(plain(logits, mask)))


def test_the_outline_is_where_a_neighbour_differs() -> None:
    labels = torch.zeros(1, 1, 5, 7, dtype=torch.long)
    labels[..., 3:] = 1
    labels[..., 6] = 2
    assert outline_of(labels)[0, 0].tolist() == [[False, False, True, True, False, True, True]] * 5
    assert outline_of(torch.stack([labels[:, 0] == 1, labels[:, 0] == 2], dim=1)).equal(outline_of(labels))
    assert not outline_of(torch.ones(1, 1, 4, 4, 4)).any(), "the edge of the image is no outline"


def test_deep_supervision_takes_class_masks(classes: tuple[np.ndarray, ...]) -> None:
    logits, labels = (torch.from_numpy(array) for array in classes[:2])
    expected = 0.5 * DiceCELoss()(logits, labels) + 0.5 * DiceCELoss()(-logits, labels)
    assert float(DeepSupervisionLoss(DiceCELoss())([logits, -logits], labels)) == pytest.approx(
        float(expected), abs=1e-5
    )
