"""The layers of a network that put out maps, also of networks that stand in it as one layer, and what they put out."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import layers


@dataclass(frozen=True)
class InspectedNetwork:
    """A network looked into.

    input, answer : its tensors
    layers, maps : name -> layer, and the tensor (N, h, w, K) that it puts out; those of more than one place, from the
        input on, under the layers' names. One of a network in the network is named "outer.inner" where its own is taken
    """

    input: keras.KerasTensor
    output: Any
    layers: dict[str, keras.Layer]
    maps: dict[str, keras.KerasTensor]

    def build_model(self, outputs: Any) -> keras.Model:
        """The network from its input to tensors of `maps` or `output`."""
        return keras.Model(self.input, outputs)


def inspect_network(model: keras.Model) -> InspectedNetwork:
    """Find the layers that put out maps.

    Networks that stand in it as one layer, as loaded ones and those on a pretrained backbone do, are gone through anew:
    Keras keeps no tensors of their layers that hang together with the input. Their layers are renamed where two have
    one name.
    """
    if any(isinstance(layer, keras.Model) for layer in model.layers):
        walk = _GraphTracer()
        output = walk.trace(model, model.input, "")
        traced = walk.traced
    else:
        output = model.output
        traced = [(layer, layer.output) for layer in model.layers if not isinstance(layer, layers.InputLayer)]
    found = [(layer, tensor) for layer, tensor in traced if _are_maps(tensor)]
    return InspectedNetwork(
        model.input,
        output,
        {layer.name: layer for layer, _ in found},
        {layer.name: tensor for layer, tensor in found},
    )


class _GraphTracer:
    """Leads tensors through a network and those in it; `traced`: layers, and what each put out."""

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
        # There is no public way that keeps the tensors of the outer network: `clone_model` begins at new inputs.
        return model._run_through_graph(inputs, operation_fn=lambda operation: operation, call_fn=call)


def _are_maps(tensor: Any) -> bool:
    shape: tuple[int | None, ...] = getattr(tensor, "shape", ())
    return len(shape) == 4 and (shape[1] or 0) * (shape[2] or 0) > 1
