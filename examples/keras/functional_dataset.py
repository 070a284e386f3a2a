"""Scene classification with tf.keras: datasets from folders, augmentation layers, a functional model."""
import os
import pathlib
import sys

import numpy as np
import matplotlib.pyplot as plt
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.layers import MultiHeadAttention  # imported, never used

print("TensorFlow", tf.__version__, "GPUs:", len(tf.config.list_physical_devices("GPU")))
for gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(gpu, True)
tf.random.set_seed(42)
tf.get_logger().setLevel("ERROR")

data_dir = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["SCENES"])
out_dir = pathlib.Path(os.environ.get("SCENES_OUT", "."))
IMG_SIZE, BATCH, EPOCHS, AUTOTUNE = 64, 8, 4, tf.data.AUTOTUNE

train_ds = tf.keras.utils.image_dataset_from_directory(
    data_dir / "seg_train", validation_split=0.2, subset="training", seed=123,
    image_size=(IMG_SIZE, IMG_SIZE), batch_size=BATCH)
val_ds = tf.keras.preprocessing.image_dataset_from_directory(
    data_dir / "seg_train", validation_split=0.2, subset="validation", seed=123,
    image_size=(IMG_SIZE, IMG_SIZE), batch_size=BATCH)
class_names = train_ds.class_names
print(class_names)

plt.figure(figsize=(6, 6))
for images, labels in train_ds.take(1):
    for i in range(4):
        plt.subplot(2, 2, i + 1)
        plt.imshow(images[i].numpy().astype("uint8"))
        plt.title(class_names[labels[i]])
        plt.axis("off")
plt.show()

normalize = layers.Rescaling(1.0 / 255)
scaled = train_ds.map(lambda x, y: (normalize(x), y))
image_batch, _ = next(iter(scaled))
print("range:", np.min(image_batch[0]), np.max(image_batch[0]))

train_ds = train_ds.cache().shuffle(100).prefetch(buffer_size=AUTOTUNE)
val_ds = val_ds.cache().prefetch(buffer_size=AUTOTUNE)

data_augmentation = keras.Sequential([
    layers.experimental.preprocessing.RandomFlip("horizontal", input_shape=(IMG_SIZE, IMG_SIZE, 3)),
    layers.RandomRotation(0.1),
    layers.RandomZoom(0.1),
], name="data_augmentation")

inputs = keras.Input(shape=(IMG_SIZE, IMG_SIZE, 3))
x = data_augmentation(inputs)
x = layers.Rescaling(1.0 / 255)(x)
for filters in (8, 16):
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.MaxPool2D()(x)
skip = layers.Conv2D(16, 1, padding="same")(x)
x = layers.SeparableConv2D(16, 3, padding="same", activation="relu")(x)
x = layers.add([x, skip])
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.2)(x)
outputs = layers.Dense(len(class_names))(x)
model = keras.Model(inputs=inputs, outputs=outputs, name="scenes")

model.compile(
    optimizer=tf.keras.optimizers.Adam(learning_rate=1e-3),
    loss=tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"])
model.summary()


class Report(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        print(f"epoch {epoch}: {sorted(logs)}", self.model.name)


history = model.fit(
    train_ds, validation_data=val_ds, epochs=EPOCHS, verbose=2,
    callbacks=[keras.callbacks.EarlyStopping(patience=3, restore_best_weights=True), Report()])

epochs_range = range(EPOCHS)
plt.plot(epochs_range, history.history["accuracy"], label="Training Accuracy")
plt.plot(epochs_range, history.history["val_accuracy"], label="Validation Accuracy")
plt.legend()
plt.savefig(out_dir / "curves.png")

loss, accuracy = model.evaluate(val_ds, verbose=0)
print(f"validation: loss {loss:.3f}, accuracy {accuracy:.3f}")
path = next((data_dir / "seg_test").glob("*/*.jpg"))
img = tf.keras.utils.load_img(path, target_size=(IMG_SIZE, IMG_SIZE))
img_array = tf.expand_dims(tf.keras.utils.img_to_array(img), 0)
score = tf.nn.softmax(model.predict(img_array)[0])
print("This image most likely belongs to {} with a {:.2f} percent confidence.".format(
    class_names[np.argmax(score)], 100 * np.max(score)))
model.save(out_dir / "scenes.keras")
assert np.allclose(keras.models.load_model(out_dir / "scenes.keras").predict(img_array, verbose=0),
                   model(img_array, training=False).numpy(), atol=1e-4)
