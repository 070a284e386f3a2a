# -*- coding: utf-8 -*-
"""Scene classification, in the Keras of 2018: generators, old module paths, `acc`."""
from __future__ import print_function

import os
import sys

import numpy as np
import keras
from keras import backend as K
from keras.models import Sequential, load_model
from keras.layers.core import Dense, Dropout, Flatten, Activation
from keras.layers.convolutional import Conv2D, MaxPooling2D
from keras.layers.normalization import BatchNormalization
from keras.layers.recurrent import LSTM  # imported, never used
from keras.optimizers import SGD, RMSprop, Adam
from keras.preprocessing.image import ImageDataGenerator, load_img, img_to_array
from keras.callbacks import *
from keras.utils import np_utils
import matplotlib.pyplot as plt

data = sys.argv[1] if len(sys.argv) > 1 else os.environ["SCENES"]
out = os.environ.get("SCENES_OUT", ".")
img_width, img_height = 64, 64
batch_size = 8
epochs = 3

if K.image_data_format() == 'channels_first':
    input_shape = (3, img_width, img_height)
else:
    input_shape = (img_width, img_height, 3)

model = Sequential()
model.add(Conv2D(16, (3, 3), input_shape=input_shape))
model.add(BatchNormalization(axis=-1))
model.add(Activation('relu'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Conv2D(16, (3, 3), activation='relu', padding='same'))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(32, activation='relu'))
model.add(Dropout(0.5))
model.add(Dense(output_dim=6, activation='softmax'))
model.compile(loss='categorical_crossentropy', optimizer=RMSprop(lr=0.001, decay=1e-6), metrics=['acc'])
model.summary()

train_datagen = ImageDataGenerator(rescale=1. / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)
test_datagen = ImageDataGenerator(rescale=1. / 255)
train_generator = train_datagen.flow_from_directory(
    os.path.join(data, 'seg_train'), target_size=(img_width, img_height), batch_size=batch_size,
    class_mode='categorical')
validation_generator = test_datagen.flow_from_directory(
    os.path.join(data, 'seg_test'), target_size=(img_width, img_height), batch_size=batch_size,
    class_mode='categorical', shuffle=False)

history = model.fit_generator(
    generator=train_generator,
    steps_per_epoch=train_generator.samples / float(batch_size),
    epochs=epochs,
    validation_data=validation_generator,
    validation_steps=4,
    callbacks=[EarlyStopping(monitor='val_acc', patience=10), CSVLogger(os.path.join(out, 'log.csv'))],
    workers=4, use_multiprocessing=False, max_queue_size=20,
    verbose=2)

plt.plot(range(epochs), history.history['acc'])
plt.plot(range(epochs), history.history['val_acc'])
plt.title('model accuracy')
plt.legend(['train', 'test'], loc='upper left')
plt.show()

print('evaluate:', model.evaluate_generator(validation_generator, steps=len(validation_generator)))
validation_generator.reset()
pred = model.predict_generator(validation_generator, steps=len(validation_generator), verbose=0)
labels = dict((v, k) for k, v in validation_generator.class_indices.items())
predictions = [labels[k] for k in np.argmax(pred, axis=1)]
for name, guess in list(zip(validation_generator.filenames, predictions))[:3]:
    print(name, '->', guess)

model.save(os.path.join(out, 'scenes.h5'))
again = load_model(os.path.join(out, 'scenes.h5'))
path = os.path.join(data, 'seg_test', validation_generator.filenames[0])
image = img_to_array(load_img(path, target_size=(img_width, img_height)))
image = np.expand_dims(image, axis=0) / 255.
print('classes:', again.predict_classes(image), 'one-hot:', np_utils.to_categorical([2], 6).tolist())
K.set_value(model.optimizer.lr, 1e-4)
print('learning rate:', K.get_value(model.optimizer.lr))
