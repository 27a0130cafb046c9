"""PASPP, ResASPP and ASPP against Eqs. 6 to 9 in numpy (Yan et al. 2020)."""

import numpy as np
import pytest
import torch
from support.network_checks import parameters, settle
from support.numpy_layers import conv_norm_relu

from CovidSegLib.networks.paspp import PASPP


def reference(block: PASPP, maps: np.ndarray, kind: str, merge: str) -> np.ndarray:
    fp = {t: conv_norm_relu(block.reduce[t - 1], maps) for t in (1, 2, 3, 4)}
    fd = {}
    for t in (1, 2, 3, 4):  # Eq. 6
        d = 2 ** (t - 1)
        assert set(block.atrous[t - 1][0].dilation) == {d} and set(block.atrous[t - 1][0].kernel_size) == {3}
        fd[t] = conv_norm_relu(block.atrous[t - 1], fp[t])
        assert len(fp[t]) == len(fd[t]) == len(maps) // 4
    if kind == "ASPP":
        return conv_norm_relu(block.fuse, np.concatenate([fd[1], fd[2], fd[3], fd[4]]))
    x = fd if merge == "outputs" else fp
    fd_1 = {1: fd[1] + x[1] + x[2], 2: fd[2] + x[1] + x[2], 3: fd[3] + x[3] + x[4], 4: fd[4] + x[3] + x[4]}  # Eq. 7
    if kind == "ResASPP":
        return conv_norm_relu(block.fuse, np.concatenate([fd_1[1], fd_1[2], fd_1[3], fd_1[4]]))
    fd_2 = {
        1: conv_norm_relu(block.fuse_pairs[0], np.concatenate([fd_1[1], fd_1[2]])),
        2: conv_norm_relu(block.fuse_pairs[1], np.concatenate([fd_1[3], fd_1[4]])),
    }  # Eq. 8
    assert len(fd_2[1]) == len(fd_2[2]) == len(maps) // 2
    return conv_norm_relu(block.fuse, np.concatenate([fd_2[1], fd_2[2]]))  # Eq. 9


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize(
    ("kind", "merge"),
    [("ASPP", "outputs"), ("ResASPP", "outputs"), ("ResASPP", "inputs"), ("PASPP", "outputs"), ("PASPP", "inputs")],
)
def test_pyramids_follow_their_equations(dims: int, kind: str, merge: str) -> None:
    torch.manual_seed(0)
    block = settle(PASPP(dims, 8, kind, merge))
    maps = torch.randn(2, 8, *(19, 10, 9)[:dims])  # the largest dilation, 8, still reaches two voxels along each axis
    output = block(maps).detach().numpy()
    for each in range(2):
        np.testing.assert_allclose(output[each], reference(block, maps[each].numpy(), kind, merge), atol=1e-5)


def test_the_default_follows_equation_7_literally() -> None:
    assert PASPP(3, 8).merge == "outputs" and PASPP(3, 8).residual and PASPP(3, 8).progressive


def test_the_following_convolution_can_undo_the_literal_equation_7() -> None:
    torch.manual_seed(0)
    residual, plain = PASPP(3, 16, "ResASPP").eval(), PASPP(3, 16, "ASPP").eval()
    plain.load_state_dict(residual.state_dict())
    mixing = torch.block_diag(torch.tensor([[2.0, 1], [1, 2]]), torch.tensor([[2.0, 1], [1, 2]]))
    weight = residual.fuse[0].weight.data[..., 0, 0, 0] @ torch.kron(mixing, torch.eye(4))
    plain.fuse[0].weight.data[..., 0, 0, 0] = weight
    maps = torch.randn(1, 16, 5, 5, 5)
    torch.testing.assert_close(plain(maps), residual(maps))


def test_parameters() -> None:
    c, bn = 512, 2
    branches = 4 * (c * c // 4 + bn * c // 4) + 4 * (27 * (c // 4) ** 2 + bn * c // 4)
    pairs, last = 2 * ((c // 2) ** 2 + bn * c // 2), c * c + bn * c
    for kind, expected in (("PASPP", branches + pairs + last), ("ResASPP", branches + last), ("ASPP", branches + last)):
        assert parameters(PASPP(3, c, kind)) == expected


@pytest.mark.parametrize("arguments", [{"kind": "PSP"}, {"merge": "both"}])
def test_an_unknown_pyramid_is_rejected(arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments.values()))):
        PASPP(2, 8, **arguments)
