"""The layers of a network that give maps, also those of networks nested in it, and the maps themselves."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True)
class InspectedNetwork:
    """A network, its layers with maps of more than one place, and these maps.

    Attributes
    ----------
    input : KerasTensor
        Its input.
    output : KerasTensor or dict
        Its output or outputs.
    layers : dict
        Layers by name, from the input on. A layer of a nested network is named "outer.inner" where its own name is
        taken.
    maps : dict
        Output (N, h, w, K) of each of these layers, by name.
    """

    input: keras.KerasTensor
    output: Any
    layers: dict[str, keras.Layer]
    maps: dict[str, keras.KerasTensor]

    def build_model(self, outputs: Any) -> keras.Model:
        """Build the network from its input to tensors of `maps` or `output`."""
        return keras.Model(self.input, outputs)


def inspect_network(model: keras.Model) -> InspectedNetwork:
    """Find the layers of a network that give maps.

    Networks nested in it as one layer, as in imported ones and those on a pretrained backbone, are traced again: Keras
    keeps no tensors of their layers that are connected to the input. Their layers are renamed where two have the same
    name.
    """
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        tracer = _GraphTracer()
        output = tracer.trace(model, model.input, "")
        traced = tracer.traced
    else:
        output = model.output
        traced = [(layer, layer.output) for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    map_layers = [(layer, tensor) for layer, tensor in traced if _are_maps(tensor)]
    return InspectedNetwork(
        model.input,
        output,
        {layer.name: layer for layer, _ in map_layers},
        {layer.name: tensor for layer, tensor in map_layers},
    )


class _GraphTracer:
    """Leads tensors through a network and those nested in it; collects the layers with their outputs in `traced`."""

    def __init__(self) -> None:
        self.traced: list[tuple[keras.Layer, Any]] = []
        self._named: dict[str, Any] = {}

    def trace(self, model: keras.Model, inputs: Any, outer: str) -> Any:
        def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(operation, keras.Model):
                return self.trace(operation, args[0], f"{outer}{operation.name}.")
            if self._named.setdefault(operation.name, operation) is not operation:
                operation.name = f"{outer}{operation.name}"
                self._named[operation.name] = operation
            output = operation(*args, **kwargs)
            if isinstance(operation, keras.Layer):
                self.traced.append((operation, output))
            return output

        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                inputs = call(layer, inputs)
            return inputs
        # No public function keeps the tensors of the outer network: `clone_model` starts from new inputs.
        return model._run_through_graph(inputs, operation_fn=lambda operation: operation, call_fn=call)


def _are_maps(tensor: Any) -> bool:
    shape: tuple[int | None, ...] = getattr(tensor, "shape", ())
    return len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1
