# In the manner of Kaggle's TPU notebooks ("100+ flowers"): images in TFRecords, whichever hardware there is.
# Usage: records_tpu.py FOLDER_OF_IMAGES WORK_FOLDER
import glob, math, os, re, sys
import numpy as np
from matplotlib import pyplot as plt
import tensorflow as tf

print("Tensorflow version " + tf.__version__)
AUTO = tf.data.experimental.AUTOTUNE
FOLDER, WORK = sys.argv[1], sys.argv[2]

try:
    tpu = tf.distribute.cluster_resolver.TPUClusterResolver()  # TPU detection
    print('Running on TPU ', tpu.master())
except ValueError:
    tpu = None
if tpu:
    tf.config.experimental_connect_to_cluster(tpu)
    tf.tpu.experimental.initialize_tpu_system(tpu)
    strategy = tf.distribute.experimental.TPUStrategy(tpu)
else:
    strategy = tf.distribute.get_strategy()
print("REPLICAS: ", strategy.num_replicas_in_sync)

IMAGE_SIZE = [48, 48]
EPOCHS = 4
BATCH_SIZE = 8 * strategy.num_replicas_in_sync
CLASSES = sorted(os.listdir(os.path.join(FOLDER, 'seg_train')))

# --- the records: one part is written for each of train, val and test, as the "create TFRecords" notebooks do it

def _bytes_feature(value):
    if isinstance(value, type(tf.constant(0))):
        value = value.numpy()
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

def _int64_feature(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

def to_tfrecord(img_bytes, label, name):
    feature = {"image": _bytes_feature(img_bytes), "id": _bytes_feature(name.encode())}
    if label is not None:
        feature["class"] = _int64_feature(label)
        feature["one_hot_class"] = tf.train.Feature(float_list=tf.train.FloatList(value=np.eye(len(CLASSES))[label].tolist()))
    return tf.train.Example(features=tf.train.Features(feature=feature))

for part, files in (("train", glob.glob(FOLDER + '/seg_train/*/[0-5].jpg')), ("val", glob.glob(FOLDER + '/seg_train/*/[67].jpg')),
                    ("test", glob.glob(FOLDER + '/seg_test/*/*.jpg'))):
    os.makedirs(WORK + '/' + part, exist_ok=True)
    files = sorted(files)
    shards = 3 if part == "train" else 1
    for shard in range(shards):
        mine = files[shard::shards]
        name = WORK + '/{}/{:02d}-48x48-{}.tfrec'.format(part, shard, len(mine))
        with tf.io.TFRecordWriter(name) as out_file:
            for path in mine:
                bits = tf.io.read_file(path)
                image = tf.cast(tf.image.resize(tf.image.decode_jpeg(bits, channels=3), IMAGE_SIZE), tf.uint8)
                label = CLASSES.index(path.split('/')[-2])
                example = to_tfrecord(tf.image.encode_jpeg(image, quality=94), None if part == "test" else label, path.split('/')[-2] + path.split('/')[-1])
                out_file.write(example.SerializeToString())

TRAINING_FILENAMES = tf.io.gfile.glob(WORK + '/train/*.tfrec')
VALIDATION_FILENAMES = tf.io.gfile.glob(WORK + '/val/*.tfrec')
TEST_FILENAMES = tf.io.gfile.glob(WORK + '/test/*.tfrec')

# --- the datasets

def decode_image(image_data):
    image = tf.image.decode_jpeg(image_data, channels=3)
    image = tf.cast(image, tf.float32) / 255.0  # convert image to floats in [0, 1] range
    image = tf.reshape(image, [*IMAGE_SIZE, 3])  # explicit size needed for TPU
    return image

def read_labeled_tfrecord(example):
    LABELED_TFREC_FORMAT = {
        "image": tf.io.FixedLenFeature([], tf.string),  # tf.string means bytestring
        "class": tf.io.FixedLenFeature([], tf.int64),  # shape [] means single element
        "one_hot_class": tf.io.VarLenFeature(tf.float32),
    }
    example = tf.io.parse_single_example(example, LABELED_TFREC_FORMAT)
    image = decode_image(example['image'])
    label = tf.cast(example['class'], tf.int32)
    one_hot = tf.reshape(tf.sparse.to_dense(example['one_hot_class']), [len(CLASSES)])
    tf.debugging.assert_equal(tf.argmax(one_hot), tf.cast(label, tf.int64))
    return image, label  # returns a dataset of (image, label) pairs

def read_unlabeled_tfrecord(example):
    UNLABELED_TFREC_FORMAT = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "id": tf.io.FixedLenFeature([], tf.string),
    }
    example = tf.io.parse_single_example(example, UNLABELED_TFREC_FORMAT)
    return decode_image(example['image']), example['id']

def load_dataset(filenames, labeled=True, ordered=False):
    ignore_order = tf.data.Options()
    if not ordered:
        ignore_order.experimental_deterministic = False  # disable order, increase speed
    dataset = tf.data.TFRecordDataset(filenames, num_parallel_reads=AUTO)
    dataset = dataset.with_options(ignore_order)
    dataset = dataset.map(read_labeled_tfrecord if labeled else read_unlabeled_tfrecord, num_parallel_calls=AUTO)
    return dataset

def data_augment(image, label):
    image = tf.image.random_flip_left_right(image)
    image = tf.image.random_saturation(image, 0.8, 1.2)
    return image, label

def get_training_dataset():
    dataset = load_dataset(TRAINING_FILENAMES, labeled=True)
    dataset = dataset.map(data_augment, num_parallel_calls=AUTO)
    dataset = dataset.repeat()  # the training dataset must repeat for several epochs
    dataset = dataset.shuffle(2048)
    dataset = dataset.batch(BATCH_SIZE)
    dataset = dataset.prefetch(AUTO)
    return dataset

def get_validation_dataset(ordered=False):
    return load_dataset(VALIDATION_FILENAMES, labeled=True, ordered=ordered).batch(BATCH_SIZE).cache().prefetch(AUTO)

def get_test_dataset(ordered=False):
    return load_dataset(TEST_FILENAMES, labeled=False, ordered=ordered).batch(BATCH_SIZE).prefetch(AUTO)

def count_data_items(filenames):
    # the number of data items is written in the name of the .tfrec files, i.e. flowers00-230.tfrec = 230 data items
    n = [int(re.compile(r"-([0-9]*)\.").search(filename).group(1)) for filename in filenames]
    return np.sum(n)

NUM_TRAINING_IMAGES = count_data_items(TRAINING_FILENAMES)
NUM_VALIDATION_IMAGES = count_data_items(VALIDATION_FILENAMES)
NUM_TEST_IMAGES = count_data_items(TEST_FILENAMES)
STEPS_PER_EPOCH = NUM_TRAINING_IMAGES // BATCH_SIZE
print('Dataset: {} training images, {} validation images, {} unlabeled test images'.format(
    NUM_TRAINING_IMAGES, NUM_VALIDATION_IMAGES, NUM_TEST_IMAGES))

# --- a look at the data

def batch_to_numpy_images_and_labels(data):
    images, labels = data
    numpy_images = images.numpy()
    numpy_labels = labels.numpy()
    if numpy_labels.dtype == object:  # binary string in this case, these are image ID strings
        numpy_labels = [None for _ in enumerate(numpy_images)]
    return numpy_images, numpy_labels

print("Training data shapes:")
for image, label in get_training_dataset().take(3):
    print(image.numpy().shape, label.numpy().shape)
print("Training data label examples:", label.numpy())
print("Test data shapes:")
for image, idnum in get_test_dataset().take(3):
    print(image.numpy().shape, idnum.numpy().shape)
print("Test data IDs:", idnum.numpy().astype('U'))
shown, nothing = batch_to_numpy_images_and_labels(next(iter(get_test_dataset().unbatch().batch(4))))
assert shown.shape == (4, 48, 48, 3) and nothing == [None] * 4
plt.imshow(shown[0])
plt.show()

# --- the model

def lrfn(epoch, start=1e-3, top=5e-3, rampup=1):
    return start + (top - start) * min(epoch / rampup, 1.0)

with strategy.scope():
    model = tf.keras.Sequential([
        tf.keras.layers.Conv2D(8, 3, activation='relu', input_shape=[*IMAGE_SIZE, 3]),
        tf.keras.layers.GlobalAveragePooling2D(),
        tf.keras.layers.Dense(len(CLASSES), activation='softmax')
    ])
model.compile(optimizer='adam', loss='sparse_categorical_crossentropy', metrics=['sparse_categorical_accuracy'])
model.summary()
history = model.fit(get_training_dataset(), steps_per_epoch=STEPS_PER_EPOCH, epochs=EPOCHS,
                    validation_data=get_validation_dataset(),
                    callbacks=[tf.keras.callbacks.LearningRateScheduler(lrfn, verbose=True)])
print(sorted(history.history.keys()))

# --- confusion matrix and submission

cmdataset = get_validation_dataset(ordered=True)  # since we are splitting the dataset and iterating separately
images_ds = cmdataset.map(lambda image, label: image)
labels_ds = cmdataset.map(lambda image, label: label).unbatch()
cm_correct_labels = next(iter(labels_ds.batch(NUM_VALIDATION_IMAGES))).numpy()
cm_probabilities = model.predict(images_ds)
cm_predictions = np.argmax(cm_probabilities, axis=-1)
print("Correct   labels: ", cm_correct_labels.shape, cm_correct_labels)
print("Predicted labels: ", cm_predictions.shape, cm_predictions)

test_ds = get_test_dataset(ordered=True)
test_images_ds = test_ds.map(lambda image, idnum: image)
probabilities = model.predict(test_images_ds)
predictions = np.argmax(probabilities, axis=-1)
test_ids_ds = test_ds.map(lambda image, idnum: idnum).unbatch()
test_ids = next(iter(test_ids_ds.batch(NUM_TEST_IMAGES))).numpy().astype('U')  # all in one batch
np.savetxt(WORK + '/submission.csv', np.rec.fromarrays([test_ids, predictions]), fmt=['%s', '%d'], delimiter=',', header='id,label', comments='')
