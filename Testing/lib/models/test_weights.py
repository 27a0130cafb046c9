"""Weights are saved as safetensors and loaded again, even if a tensor has two names."""

from __future__ import annotations

import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from CovidSegLib import models
from CovidSegLib.errors import InputError
from CovidSegLib.models.loading import load_stages
from CovidSegLib.networks import DynUNet, QCHCUNet, RAIUNet
from CovidSegLib.networks.weights import load_fitting_state, load_unique_state, unique_state


def dynunet(filters: int = 4) -> nn.Module:
    kernels, strides = [3, 3, 3], [1, 2, 2]
    return DynUNet(2, 1, 1, kernels, strides, strides[1:], [filters] * 3, norm_name="batch")


NETWORKS = {"DynUNet": dynunet, "RAIUNet": lambda: RAIUNet(features=4)}


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_are_restored(name: str) -> None:
    torch.manual_seed(0)
    saved, other = NETWORKS[name](), NETWORKS[name]()
    saved(torch.rand(2, 1, 32, 32))  # moves the statistics of batch normalisation
    data = save(unique_state(saved))
    load_unique_state(other, load(data))
    image = torch.rand(1, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(other.eval()(image), saved.eval()(image), rtol=0, atol=0)
    for key, tensor in saved.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], tensor, rtol=0, atol=0)


def test_tensors_with_two_names_are_stored_once() -> None:
    network = dynunet()
    assert len(unique_state(network)) < len(network.state_dict())
    assert {tensor.data_ptr() for tensor in network.state_dict().values()} == {
        tensor.data_ptr() for tensor in unique_state(network).values()
    }


def test_weights_in_half_precision_are_loaded() -> None:
    network = dynunet()
    half = {key: value.half() if value.is_floating_point() else value for key, value in unique_state(network).items()}
    load_unique_state(network, half)
    for key, tensor in unique_state(network).items():
        assert tensor.dtype == (torch.float32 if half[key].is_floating_point() else half[key].dtype)
        torch.testing.assert_close(tensor, half[key].to(tensor.dtype), rtol=0, atol=0)


def test_weights_of_a_similar_network_can_initialise_another() -> None:
    """As from lung tumours to infection: all layers except the last one, which has other labels."""
    tumours, infection = QCHCUNet(out_channels=2, features=2), QCHCUNet(out_channels=4, features=2)
    anew = load_fitting_state(infection, unique_state(tumours))
    assert anew and all(name.startswith("head.classifiers.") for name in anew)
    for name, tensor in unique_state(infection).items():
        assert name in anew or torch.equal(tensor, unique_state(tumours)[name])


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="of another network"):
        load_unique_state(dynunet(), unique_state(RAIUNet(features=4)))
    with pytest.raises(ValueError, match=r"has the shape \(8, .*, not \(4, "):
        load_unique_state(dynunet(4), unique_state(dynunet(8)))
    lacking = unique_state(dynunet())
    lacking.popitem()
    with pytest.raises(ValueError, match="of another network"):
        load_unique_state(dynunet(), lacking)


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_weights_of_a_training_that_diverged_are_not_used(wrong: float, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(models.find_model().verified_weights())
    next(tensor for tensor in data.values() if tensor.ndim == 4)[0, 0, 0, 0] = wrong
    monkeypatch.setattr(models.Model, "verified_weights", lambda self: save(data))
    with pytest.raises(InputError, match=f'"{models.DEFAULT}" contain NaN or infinity, as after a training that'):
        load_stages(models.find_model(), torch.device("cpu"))


@pytest.mark.parametrize("data", [save({"lungs.x": torch.zeros(1)}), b"\x08\0\0\0\0\0\0\0nonsense", b""])
def test_weights_that_do_not_fit_their_recipe_are_refused(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models.Model, "verified_weights", lambda self: data)
    with pytest.raises(InputError, match=r'do not fit its recipe "unet-cascade"\. Please install CovidSeg again'):
        load_stages(models.find_model("unet-cascade"), torch.device("cpu"))
