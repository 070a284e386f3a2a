"""A program as users write it. It is never run: `test_public_types.py` has mypy read it."""

from typing import Any, assert_type

import lightning as L
import numpy as np
import torch

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from scene_lightning.layers import Conv2D, Dense, Flatten, MaxPooling2D
from scene_lightning.models import Model, Sequential
from scene_lightning.preprocessing.image import DirectoryIterator, ImageDataGenerator
from scene_lightning.utils import to_categorical

images = np.zeros((8, 64, 64, 3), np.float32)
labels = to_categorical([0, 1, 2, 3, 4, 5, 0, 1], num_classes=6)
assert_type(labels, np.ndarray[tuple[Any, ...], np.dtype[Any]])
assert_type(to_categorical(torch.arange(6)), torch.Tensor)

# A Sequential model from arrays.
model = Sequential(
    [
        keras.Input((64, 64, 3)),
        Conv2D(32, (3, 3), activation="relu", padding="same", kernel_regularizer=keras.regularizers.l2(1e-4)),
        MaxPooling2D(2),
        Flatten(),
        Dense(6, activation="softmax", kernel_initializer="he_normal"),
    ],
    name="scenes",
)
assert_type(model, Sequential)
model.add(layers.Dropout(0.5))
model.add(layers.RandomFlip("horizontal"))
model.compile(
    optimizer=keras.optimizers.Adam(learning_rate=1e-3),
    loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
    metrics=["accuracy", keras.metrics.TopKCategoricalAccuracy(k=2)],
)
history = model.fit(
    images,
    labels,
    batch_size=4,
    epochs=3,
    validation_split=0.25,
    class_weight={0: 1.0, 1: 2.0},
    callbacks=[
        EarlyStopping(patience=3, restore_best_weights=True),
        ModelCheckpoint("best.keras", save_best_only=True),
        ReduceLROnPlateau(factor=0.5),
        L.pytorch.callbacks.LearningRateMonitor(),
    ],
    accelerator="auto",
    devices=1,
    precision="bf16-mixed",
)
assert_type(history, keras.callbacks.History)
assert_type(history.history["loss"], list[float])
best = max(history.history["val_accuracy"])
loss, accuracy, top2 = model.evaluate(images, labels, verbose=0)
print(f"{accuracy:.3f}", best)
classes = np.argmax(model.predict(images), axis=-1)
for name, parts in zip(history.epoch, model.get_weights(), strict=False):
    print(name, parts.shape)
assert_type(model.count_params(), int)
assert_type(model.to_json(), str)
model.summary()
model.save("scenes.keras")
model.save_weights("scenes.weights.h5")
assert_type(keras.models.load_model("scenes.keras"), Model)

# A functional model on an image generator.
inputs = keras.Input(shape=(64, 64, 3))
assert_type(inputs, keras.KerasTensor)
x = layers.Conv2D(16, 3, strides=(2, 2), use_bias=False)(inputs)
x = layers.BatchNormalization()(x)
x = layers.Add()([x, layers.ReLU()(x)])
outputs = layers.Dense(6)(layers.GlobalAveragePooling2D()(x))
functional = keras.Model(inputs=inputs, outputs=outputs)
assert_type(functional, Model)
base = keras.applications.EfficientNetB0(weights=None, include_top=False, input_shape=(64, 64, 3))
for layer in functional.layers:
    layer.trainable = False
print(functional.get_layer("conv2d").name, functional.layers[-1].output)

generator = ImageDataGenerator(rescale=1.0 / 255, rotation_range=20, horizontal_flip=True, validation_split=0.2)
flow = generator.flow_from_directory("seg_train", target_size=(64, 64), batch_size=32, subset="training")
assert_type(flow, DirectoryIterator)
assert_type(flow.class_indices, dict[str, int])
functional.compile("sgd", "categorical_crossentropy", ["accuracy"])
functional.fit(flow, steps_per_epoch=len(flow), epochs=2, callbacks=EarlyStopping("loss"))

# Datasets of folders.
train = keras.utils.image_dataset_from_directory(
    "seg_train", image_size=(64, 64), validation_split=0.2, subset="training"
)
print(train.class_names)
functional.fit(train.map(lambda images, labels: (images / 255, labels)).prefetch(2))
first, second = keras.utils.image_dataset_from_directory("seg_train", validation_split=0.2, subset="both", seed=1)


# Classes of one's own.
class Scale(layers.Layer):
    def __init__(self, factor: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape: Any) -> None:
        self.offset = self.add_weight(shape=(input_shape[-1],), initializer="zeros", name="offset")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs * self.factor + self.offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


class Net(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.scale = Scale(0.5)
        self.head = Dense(6)

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> Any:
        return self.head(self.scale(inputs))


class Notes(keras.callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        print(epoch, (logs or {}).get("loss"), self.model.optimizer.learning_rate)


net = Net()
net.compile(optimizer="adam", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
net.fit(images, np.zeros(8), epochs=1, verbose=0, callbacks=[Notes()])
