"""`.keras` files written by hand, without Keras: a plain network, and whatever is to be changed in it."""

import copy
import io
import json
import zipfile


def layer(class_name, module="keras.layers", registered_name=None, build=None, inputs=(), **config):
    name = config.setdefault("name", class_name.lower())
    tensors = [{"class_name": "__keras_tensor__", "config": {"shape": shape, "dtype": "float32"}} for shape in inputs]
    return {
        "module": module,
        "class_name": class_name,
        "config": config,
        "registered_name": registered_name,
        **({"build_config": {"input_shape": build}} if build else {}),
        "name": name,
        "inbound_nodes": [{"args": tensors, "kwargs": {}}] if tensors else [],
    }


def network(*layers, shape=(None, 32, 48, 3), out="dense", **more):
    """A functional network of an input and these layers, ending in `out`."""
    inputs = layer("InputLayer", batch_shape=list(shape), name="images")
    config = {
        "name": "net",
        "layers": [inputs, *layers],
        "input_layers": ["images", 0, 0],
        "output_layers": [out, 0, 0],
    }
    return {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
        **more,
    }


def plain_network(**more):
    """Averages of each colour, four classes: 16 weights."""
    pool = layer("GlobalAveragePooling2D", inputs=[[None, 32, 48, 3]])
    return network(pool, dense(), **more)


def dense(units=4, given=3, **more):
    return layer("Dense", build=[None, given], inputs=[[None, given]], units=units, activation="softmax", **more)


def keras_bytes(config=None, without=(), **members):
    """The file as bytes; `members` are added or changed, those `without` left out."""
    config = plain_network() if config is None else copy.deepcopy(config)
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    files = {"metadata.json": b"{}", "config.json": text, "model.weights.h5": b"\x89HDF weights"} | members
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            if name not in without:
                archive.writestr(name, data)
    return stream.getvalue()
