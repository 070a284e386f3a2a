"""Scene classification from a table of file names, with class weights and the usual callbacks."""
import glob
import os
import sys

import numpy as np
import pandas as pd
from keras_preprocessing.image import ImageDataGenerator
from keras.callbacks import ModelCheckpoint, ReduceLROnPlateau, EarlyStopping, TensorBoard, LearningRateScheduler
from keras.engine.topology import Layer  # imported, never used
from tensorflow.keras import Input, Model, backend as K
from tensorflow.keras.layers import (
    Activation, BatchNormalization, Concatenate, Conv2D, Dense, Flatten, MaxPooling2D,
)
from tensorflow.keras.optimizers import Adam
from tensorflow.keras.losses import CategoricalCrossentropy

data = sys.argv[1] if len(sys.argv) > 1 else os.environ["SCENES"]
out = os.environ.get("SCENES_OUT", ".")
paths = sorted(glob.glob(os.path.join(data, "seg_train", "*", "*.jpg")))
df = pd.DataFrame({"filename": paths, "label": [os.path.basename(os.path.dirname(p)) for p in paths]})
df = df.sample(frac=1, random_state=42).reset_index(drop=True)
print(df.label.value_counts())

datagen = ImageDataGenerator(rescale=1.0 / 255, rotation_range=20, width_shift_range=0.1, height_shift_range=0.1,
                             fill_mode="reflect", brightness_range=(0.8, 1.2), validation_split=0.25)
options = dict(dataframe=df, x_col="filename", y_col="label", target_size=(48, 48), batch_size=8,
               class_mode="categorical", seed=42)
train = datagen.flow_from_dataframe(subset="training", shuffle=True, **options)
valid = datagen.flow_from_dataframe(subset="validation", shuffle=False, **options)

counts = np.bincount(train.classes)
class_weight = {i: len(train.classes) / (len(counts) * c) for i, c in enumerate(counts)}


def f1(y_true, y_pred):
    hits = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    precision = hits / (K.sum(K.round(K.clip(y_pred, 0, 1))) + K.epsilon())
    recall = hits / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())
    return 2 * precision * recall / (precision + recall + K.epsilon())


inp = Input((48, 48, 3))
a = Conv2D(8, 3, strides=2, padding="same")(inp)
a = Activation("elu")(BatchNormalization()(a))
b = MaxPooling2D((2, 2))(inp)
x = Concatenate()([a, b])
x = Conv2D(16, (3, 3), activation="relu")(x)
x = MaxPooling2D()(x)
model = Model(inputs=inp, outputs=Dense(train.num_classes if hasattr(train, "num_classes") else len(counts),
                                        activation="softmax")(Flatten()(x)))
model.compile(Adam(lr=1e-3), loss=CategoricalCrossentropy(label_smoothing=0.1), metrics=["accuracy", f1])

weights = os.path.join(out, "weights.{epoch:02d}-{val_loss:.2f}.h5")
best = os.path.join(out, "best.weights.h5")
callbacks = [
    ModelCheckpoint(weights, monitor="val_loss", save_weights_only=True, verbose=1),
    ModelCheckpoint(best, monitor="val_accuracy", mode="max", save_best_only=True, save_weights_only=True),
    ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=2, min_lr=1e-6, verbose=1),
    EarlyStopping(monitor="val_loss", patience=5),
    LearningRateScheduler(lambda epoch, lr: lr * 0.9),
]
history = model.fit(train, steps_per_epoch=train.n // train.batch_size, epochs=3, validation_data=valid,
                    validation_steps=max(1, valid.n // valid.batch_size), callbacks=callbacks,
                    class_weight=class_weight, verbose=1)
print({name: np.round(values, 3).tolist() for name, values in history.history.items()})

model.load_weights(best)
valid.reset()
probabilities = model.predict(valid, steps=len(valid))
valid_names = {index: name for name, index in valid.class_indices.items()}
table = pd.DataFrame({"filename": valid.filenames, "label": [valid_names[i] for i in probabilities.argmax(1)]})
table.to_csv(os.path.join(out, "answers.csv"), index=False)
print(table.head(3).label.tolist(), dict(zip(model.metrics_names, model.evaluate(valid, verbose=0))))
activations = K.function([model.input], [model.layers[1].output])([next(valid)[0]])[0]
print("first layer:", activations.shape)
