"""Scene classification from one array: images read with PIL, split and judged with scikit-learn."""
import os
import random
import sys

import numpy as np
from PIL import Image
from sklearn.metrics import classification_report, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.utils import shuffle

from tensorflow.python.keras.models import Sequential
from tensorflow.python.keras.layers import Dense, Conv2D, MaxPooling2D, Flatten, Dropout
from tensorflow.keras.layers import LeakyReLU
from tensorflow.keras.utils import to_categorical
from tensorflow.keras import regularizers
from keras.layers import GlobalMaxPool2D
import tensorflow as tf
from tensorflow.python.client import device_lib

print([d.name for d in device_lib.list_local_devices()])
random.seed(1)
np.random.seed(1)
tf.set_random_seed(1)

DATA = sys.argv[1] if len(sys.argv) > 1 else os.environ["SCENES"]
CLASSES = sorted(os.listdir(os.path.join(DATA, "seg_train")))
SIZE = (48, 48)


def get_images(directory, limit=24):
    images, labels = [], []
    for label, name in enumerate(CLASSES):
        folder = os.path.join(directory, name)
        for file in sorted(os.listdir(folder))[:limit]:
            image = Image.open(os.path.join(folder, file)).convert("RGB").resize(SIZE)
            images.append(np.array(image))
            labels.append(label)
    return shuffle(images, labels, random_state=817328462)


images, labels = get_images(os.path.join(DATA, "seg_train"))
images, labels = np.array(images), np.array(labels)
print("Shape of images:", images.shape)
X_train, X_test, y_train, y_test = train_test_split(images / 255.0, labels, test_size=0.25, random_state=0)
Y_train = to_categorical(y_train, num_classes=len(CLASSES))

model = Sequential()
model.add(Conv2D(16, kernel_size=(3, 3), activation="relu", kernel_regularizer=regularizers.l2(1e-4),
                 kernel_initializer="he_uniform"))
model.add(MaxPooling2D(2, 2))
model.add(Conv2D(16, (3, 3)))
model.add(LeakyReLU(alpha=0.1))
model.add(GlobalMaxPool2D())
model.add(Dropout(rate=0.3))
model.add(Dense(len(CLASSES), activation=tf.nn.softmax))
model.compile(optimizer=tf.train.AdamOptimizer() if False else "adam", loss="categorical_crossentropy",
              metrics=["accuracy", tf.keras.metrics.Precision(name="precision")])

trained = model.fit(x=X_train, y=Y_train, batch_size=16, epochs=3, validation_split=0.30, shuffle=True, verbose=1)
print(sorted(trained.history), len(trained.history["loss"]), trained.epoch)
print("evaluate:", model.evaluate(X_test, to_categorical(y_test, len(CLASSES)), verbose=0))

predictions = np.argmax(model.predict(X_test), axis=1)
print(confusion_matrix(y_test, predictions))
print(classification_report(y_test, predictions, labels=range(len(CLASSES)), target_names=CLASSES, zero_division=0))
