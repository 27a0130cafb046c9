"""Run exported networks on the CPU with OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from .openvino_import import import_openvino

#: Images that a network takes at once. Fewer are padded to this number. Larger batches are not faster on a CPU, because
#: their feature maps do not fit into its caches, and need more memory.
BATCH_SIZE = 2
#: bfloat16 would be twice as fast on the few CPUs that have instructions for it, but changes up to 2 % of the infection
#: of a scan. In float32, all CPUs give the same masks.
SETTINGS = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}


class OpenVinoNetwork:
    """An exported network, compiled for this CPU.

    Args:
        graph: The ONNX graph from `models.exporting`, with an input "image" and one input for each weight.
        weights: float32 weights by the names of these inputs.
        input_shape: Channels, rows and columns of the images.

    Raises:
        ValueError: The graph cannot be read, or does not fit the weights or the images.

    Attributes:
        engine: "openvino".
        precision: "float32".
    """

    engine = "openvino"
    precision = "float32"

    def __init__(
        self,
        graph: bytes,
        weights: Mapping[str, np.ndarray],
        input_shape: tuple[int, ...],
    ) -> None:
        if b"location" in graph:  # of weights in other files, which a graph from others could read from anywhere
            raise ValueError("the graph refers to other files")
        core = _core()
        try:
            model = core.read_model(graph)
            _insert_weights(model, weights)
            model.reshape({"image": [BATCH_SIZE, *input_shape]})
        except RuntimeError as error:
            raise ValueError(str(error)) from error
        self._compiled = core.compile_model(model, "CPU", SETTINGS)
        self._request = self._compiled.create_infer_request()
        self._image = np.zeros((BATCH_SIZE, *input_shape), np.float32)

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return logits; see `SliceNetwork`."""
        logits = []
        for start in range(0, len(images), BATCH_SIZE):
            part = images[start : start + BATCH_SIZE]
            self._image[: len(part)] = part
            self._image[len(part) :] = 0
            outputs = self._request.infer([self._image], share_inputs=True)
            logits.append(np.array(outputs[0][: len(part)], np.float32))
        return np.concatenate(logits)


@lru_cache(maxsize=1)
def _core() -> Any:
    """Return OpenVINO's runtime, one for the process: its threads may still run when a network is freed."""
    return import_openvino().Core()


def _insert_weights(model: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Replace the inputs of a graph that stand for weights by these weights."""
    constants = import_openvino().opset13
    for parameter in model.get_parameters():
        name = parameter.get_friendly_name()
        if name == "image":
            continue
        weight = weights.get(name)
        if weight is None or tuple(weight.shape) != tuple(parameter.get_partial_shape().to_shape()):
            raise ValueError(f"there is no weight {name} of the shape {parameter.get_partial_shape()}")
        constant = constants.constant(np.asarray(weight, np.float32))
        parameter.output(0).replace(constant.output(0))
        model.remove_parameter(parameter)
