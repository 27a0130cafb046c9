"""Export the networks of a model as ONNX graphs without weights, which OpenVINO runs without PyTorch.

The graph has one input for each weight, named like the weight in model.safetensors. So the weights exist only once, and
the graph has some kilobytes.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from ..inference.engines.openvino_engine import OpenVinoNetwork
from ..inference.engines.openvino_import import import_openvino
from ..networks.weights import unique_state
from ..recipe import Stage
from .exported import outline_of
from .folders import CARD_FILE, GRAPH_FILES
from .loading import load_stages
from .model import Model

OPSET = 17
#: Largest difference between the float32 logits of both engines, relative to the largest logit.
TOLERANCE = 1e-4


class NotExportableError(Exception):
    """A network that cannot be exported; it runs in PyTorch. The message says why."""


def export_model(model: Model) -> dict[str, bytes]:
    """Export the networks of a model.

    Args:
        model: A trained model.

    Returns:
        ONNX graphs by the name of their stage.

    Raises:
        NotExportableError: See `export_stage`.
        InputError: The weights cannot be used.
    """
    own = outline_of(model).stages
    loaded = load_stages(model, torch.device("cpu"), list(own))
    graphs = {}
    for name in own:
        network = loaded[name].network
        assert isinstance(network, nn.Module)
        graphs[name] = export_stage(network, loaded[name].stage)
    return graphs


def export_stage(network: nn.Module, stage: Stage) -> bytes:
    """Export a network for slices, and check that OpenVINO computes the same.

    Args:
        network: The network with its weights, on the CPU, in evaluation mode.
        stage: Its stage.

    Returns:
        The ONNX graph, without weights.

    Raises:
        NotExportableError: The stage processes patches, the packages onnx or openvino are missing, the network has
            operations that cannot be exported, or the logits differ.
    """
    if stage.slices is None:
        raise NotExportableError("networks that process patches run in PyTorch")
    try:
        import onnx  # noqa: F401  # torch needs it

        import_openvino()
    except ModuleNotFoundError as error:
        raise NotExportableError(f"the package {error.name} is not installed") from error
    graph = _graph(network, stage)
    difference = largest_difference(network, stage, graph)
    if not difference <= TOLERANCE:
        raise NotExportableError(f"its logits differ from those of PyTorch by {difference:.2g} of the largest one")
    return graph


def largest_difference(network: nn.Module, stage: Stage, graph: bytes) -> float:
    """Return the largest difference of the logits for random images, relative to the largest logit."""
    weights = {name: tensor.float().numpy() for name, tensor in unique_state(network).items()}
    images = np.random.default_rng(0).random((3, *stage.input_shape), dtype=np.float32)
    try:
        logits = OpenVinoNetwork(graph, weights, stage.input_shape).run(images)
    except ValueError as error:
        raise NotExportableError("it has operations that OpenVINO lacks") from error
    with torch.inference_mode():
        expected = network(torch.from_numpy(images)).numpy()
    return float(np.abs(logits - expected).max() / np.abs(expected).max())


def with_graphs(files: Mapping[str, bytes], graphs: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a model with exported networks, and with their SHA-256 in its card.

    Args:
        files: Contents by name, see `models.FILES`.
        graphs: ONNX graphs by the name of their stage.
    """
    card = json.loads(files[CARD_FILE])
    card["graphs"] = {stage: hashlib.sha256(graph).hexdigest() for stage, graph in graphs.items()}
    content = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    return {**files, CARD_FILE: content.encode(), **{GRAPH_FILES[stage]: graph for stage, graph in graphs.items()}}


def _graph(network: nn.Module, stage: Stage) -> bytes:
    # PyTorch merges weights that are equal. So that the graph fits any weights, all are different while it is exported.
    varied = copy.deepcopy(network).to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in unique_state(varied).values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    buffer = io.BytesIO()
    batch = {"image": {0: "batch"}, "logits": {0: "batch"}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes that become constants, as they are for the slices of a stage
            torch.onnx.export(
                varied,
                (torch.rand(2, *stage.input_shape, generator=generator),),
                buffer,  # type: ignore[arg-type]
                dynamo=False,
                export_params=False,
                opset_version=OPSET,
                do_constant_folding=False,
                training=torch.onnx.TrainingMode.EVAL,
                input_names=["image"],
                output_names=["logits"],
                dynamic_axes=batch,
            )
    except (RuntimeError, ValueError) as error:
        raise NotExportableError("it has operations that cannot be exported as ONNX") from error
    return buffer.getvalue()
