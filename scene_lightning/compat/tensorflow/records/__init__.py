"""TensorFlow's record files: `tf.data.TFRecordDataset`, `tf.io.TFRecordWriter`, `tf.train.Example`, parsing."""
