"""The paper's program, in the paper's order, on this engine: only the imports and the data path are changed.

Usage: python examples/paper.py FOLDER [EPOCHS]     (FOLDER holds seg_train, seg_test and seg_pred)
Source: "Image Classification using Keras"; the fit call itself is a picture there, so its epochs are an argument here.
"""

import os
import random
import sys

import matplotlib

matplotlib.use("Agg")  # a script writes pictures to files; a notebook shows them
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from scene_lightning.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from scene_lightning.models import Sequential, load_model
from scene_lightning.preprocessing import image
from scene_lightning.preprocessing.image import ImageDataGenerator
from scene_lightning.utils import device_lib

DIR = sys.argv[1] if len(sys.argv) > 1 else "intel-image-classification"
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 12
img_height = img_width = 150
train_batch_size = test_batch_size = 32


# 1. Know the images
def statistics(path):
    heights = []
    widths = []
    img_count = 0
    for img in os.listdir(path):
        if "DS_Store" not in img:
            data = np.array(Image.open(os.path.join(path, img)))
            heights.append(data.shape[0])
            widths.append(data.shape[1])
            img_count += 1
    avg_height = sum(heights) / len(heights)
    avg_width = sum(widths) / len(widths)
    print("Images: " + str(img_count))
    print("Average Height: " + str(avg_height))
    print("Max Height: " + str(max(heights)))
    print("Min Height: " + str(min(heights)))
    print("Average Width: " + str(avg_width))
    print("Max Width: " + str(max(widths)))
    print("Min Width: " + str(min(widths)))


for scene in ("buildings", "forest", "glacier"):
    print("\n" + scene)
    statistics(os.path.join(DIR, "seg_train", scene))

# 2. The network
model = Sequential()
model.add(Conv2D(32, kernel_size=(3, 3), activation="relu", input_shape=(img_height, img_width, 3)))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(BatchNormalization())
model.add(Dropout(0.2))
model.add(Conv2D(64, kernel_size=(3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(BatchNormalization())
model.add(Dropout(0.2))
model.add(Conv2D(128, kernel_size=(3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(BatchNormalization())
model.add(Dropout(0.2))
model.add(Conv2D(256, kernel_size=(3, 3), activation="relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(BatchNormalization())
model.add(Dropout(0.2))
model.add(Flatten())
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(128, activation="relu"))
model.add(Dropout(0.2))
model.add(Dense(6, activation="softmax"))

# 3. Compile
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.summary()

# 4. Pre-processing and augmentation
train_datagen = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)
test_datagen = ImageDataGenerator(rescale=1.0 / 255)

train_generator = train_datagen.flow_from_directory(
    DIR + "/seg_train",
    target_size=(img_height, img_width),
    batch_size=train_batch_size,
    class_mode="categorical",
    seed=777,
    shuffle=True,
)

validation_generator = test_datagen.flow_from_directory(
    DIR + "/seg_test",
    target_size=(img_height, img_width),
    batch_size=test_batch_size,
    class_mode="categorical",
    seed=777,
    shuffle=True,
)

# 5. The device
print(device_lib.list_local_devices())

# 6. Fit
history = model.fit(train_generator, epochs=epochs, validation_data=validation_generator)

# 7. Curves
plt.figure(figsize=[8, 6])
plt.plot(history.history["loss"], "r", linewidth=3.0)
plt.plot(history.history["val_loss"], "b", linewidth=3.0)
plt.legend(["Training loss", "Validation Loss"], fontsize=18)
plt.xlabel("Epochs ", fontsize=16)
plt.ylabel("Loss", fontsize=16)
plt.title("Loss Curves", fontsize=16)
plt.savefig("loss_curves.png")

plt.figure(figsize=[8, 6])
plt.plot(history.history["accuracy"], "r", linewidth=3.0)
plt.plot(history.history["val_accuracy"], "b", linewidth=3.0)
plt.legend(["Training Accuracy", "Validation Accuracy"], fontsize=18)
plt.xlabel("Epochs ", fontsize=16)
plt.ylabel("Accuracy", fontsize=16)
plt.title("Accuracy Curves", fontsize=16)
plt.savefig("accuracy_curves.png")

# 8. Save, load
model.save("project_model.h7")

model = load_model("project_model.h7")
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])

# 9. Predict the folder of unlabelled images
images = []
for img in os.listdir(DIR + "/seg_pred"):
    img = os.path.join(DIR + "/seg_pred", img)
    img = image.load_img(img, target_size=(img_width, img_height))
    img = image.img_to_array(img)
    img = np.expand_dims(img, axis=0)
    img = img / 255
    images.append(img)

images = np.vstack(images)
print(images.shape)

predictions = model.predict(images)
y_pred = [np.argmax(probas) for probas in predictions]

# 10. Look at some
image_list = []
n = 10
for _ in range(n):
    image_list.append(random.randint(0, len(y_pred) - 1))
print("The Randomly selected Images are:", image_list)

class_names = list(train_generator.class_indices)
plt.figure(figsize=[20, 9])
for place, chosen in enumerate(image_list):
    plt.subplot(2, 5, place + 1)
    plt.imshow(images[chosen])
    plt.title(f"{class_names[y_pred[chosen]]} {predictions[chosen].max():.0%}", fontsize=16)
    plt.axis("off")
plt.savefig("predictions.png")
