"""Says what to use instead of the documented names that are not in this package: the one table of such advice.

A module, or modules that share names, → a sentence without its full stop → the names that it is for. It holds for what
stands below a name, too: the advice of `keras.datasets.imdb` for its `load_data`.
"""

from __future__ import annotations

_IMAGE_DATA = (
    "this package classifies images: use mnist, fashion_mnist, cifar10, cifar100, or a folder of images with "
    "image_dataset_from_directory"
)

ADVICE: dict[str, dict[str, str]] = {
    "keras": {
        "Use mixed_precision": "dtype_policies",
        "Write a Layer, with build() and call()": "Function Operation",
        "Choose the hardware with fit(accelerator=, devices=, precision=), or --accelerator and --devices": (
            "device distribution dtensor"
        ),
        "Call fit(), which trains on several devices with devices=": "estimator",
        "Leave it out: names of layers are enough here": "name_scope",
        "Leave it out: PyTorch needs no scopes": "RematScope StatelessScope SymbolicScope remat",
        "Models stay in floating point: quantise the saved model with PyTorch": "Quantizer quantizers",
        "Train a student with a train_step() of your own": "distillation",
        "Save with model.save('model.keras') or .h5, or give the model to torch.export": "export",
        "Look for the name in keras.layers, keras.optimizers or keras.utils": "experimental legacy protobuf src",
        "Draw with matplotlib": "visualization",
        "Call fit() yourself; scikit-learn's splits and scores work on its arrays": "wrappers",
    },
    "keras.datasets": {
        f"It holds texts, and {_IMAGE_DATA}": "imdb reuters",
        f"It holds prices of houses, and {_IMAGE_DATA}": "boston_housing california_housing",
    },
    "keras.experimental": {
        "Save with model.save('model.keras'), or .h5 for older Keras": "export_saved_model",
        "Load with keras.models.load_model(folder)": "load_from_saved_model",
    },
    "keras.applications keras.applications.convnext keras.applications.efficientnet_v2 keras.applications.nasnet": {
        "torchvision has no such network: use ConvNeXtLarge": "ConvNeXtXLarge",
        "torchvision has no such network: use EfficientNetB0 to B3, or EfficientNetV2S": (
            "EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3"
        ),
        "torchvision has no such network: use EfficientNetB4, which is smaller and as accurate": "NASNetLarge",
        "torchvision has no such network: use MobileNetV3Small or EfficientNetB0, which are as small": "NASNetMobile",
    },
    "keras.backend": {
        "Write the step in a Layer's call(), or with torch": (
            "batch_normalization binary_focal_crossentropy categorical_focal_crossentropy conv1d conv2d_transpose "
            "conv3d depthwise_conv2d foldl foldr local_conv1d local_conv2d map_fn normalize_batch_in_training pool3d "
            "random_normal_variable random_uniform_variable resize_volumes rnn separable_conv2d spatial_3d_padding "
            "temporal_padding to_dense"
        ),
        "There are no graphs to name or to feed: use keras.Input and call layers": (
            "placeholder name_scope learning_phase_scope experimental"
        ),
        "Use keras.losses.CTC": "ctc_batch_cost ctc_decode ctc_label_dense_to_sparse",
    },
    "keras.callbacks": {
        "Give fit() validation_data: it evaluates in the same process": "SidecarEvaluatorModelExport",
        "Training opens no network connections. Use CSVLogger or TensorBoard, or post the logs yourself with "
        "LambdaCallback(on_epoch_end=lambda epoch, logs: ...)": "RemoteMonitor",
        "Orbax is JAX's format. Use ModelCheckpoint(path + '.keras') to keep models, and BackupAndRestore(folder) to "
        "go on after an interruption": "OrbaxCheckpoint",
        "Use BackupAndRestore, ModelCheckpoint or a Callback of your own": "experimental",
    },
    "keras.config": {
        "Attention layers are outside this package, which is for images": (
            "disable_flash_attention enable_flash_attention is_flash_attention_enabled"
        ),
        "The engine is PyTorch: leave it out": "is_nnx_enabled",
    },
    "keras.constraints": {"Write a Constraint with __call__(w)": "RadialConstraint radial_constraint"},
    "keras.layers": {
        "Recurrent and text layers are outside this package, which is for images": (
            "Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D CuDNNGRU CuDNNLSTM GRU GRUCell AbstractRNNCell "
            "GroupQueryAttention LSTM LSTMCell RNN SimpleRNN SimpleRNNCell StackedRNNCells TimeDistributed "
            "TextVectorization Hashing HashedCrossing Discretization FeatureSpace MelSpectrogram STFTSpectrogram"
        ),
        "Write it as a Layer subclass with build() and call()": (
            "JaxLayer FlaxLayer TorchModuleWrapper Wrapper ReversibleEmbedding LocallyConnected1D LocallyConnected2D "
            "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D AdaptiveMaxPooling1D "
            "AdaptiveMaxPooling2D AdaptiveMaxPooling3D DenseFeatures"
        ),
        "keras.models.load_model(folder) reads a SavedModel that Keras 2 wrote; for one of export() build the network "
        "in code and take its weights: model.load_weights(folder)": "TFSMLayer",
        "Of the augmentations, the Random* layers for flips, rotation, zoom, shift, shear, crop and colour are here": (
            "AugMix AutoContrast CLAHE CutMix Equalization MixUp Pipeline RandAugment RandomColorDegeneration "
            "RandomElasticTransform RandomErasing RandomGaussianBlur RandomInvert RandomPerspective "
            "RandomPosterization RandomSharpness Solarization ContrastLimitedAdaptiveHistogramEqualization "
            "MaxNumBoundingBoxes"
        ),
    },
    "keras.metrics": {"Write a Metric with update_state() and result()": "MeanRelativeError MeanTensor experimental"},
    "keras.ops keras.ops.linalg keras.ops.nn keras.ops.numpy": {  # what image classification does not call
        "Use torch.linalg in a Layer's call(), or a Lambda layer": "cholesky_inverse jvp lu_factor",
        "Use the function that torch has for it in a Layer's call(), or a Lambda layer": (
            "adaptive_average_pool adaptive_max_pool argpartition associative_scan cdist conv_transpose corrcoef "
            "correlate ctc_decode ctc_loss custom_gradient dot_product_attention dsplit erfc erfinv extract_sequences "
            "fft fold fori_loop geomspace get_item histogram hsplit irfft istft ldexp logdet nanargmax nanargmin "
            "nancumprod nancumsum nanmedian nanpercentile nanprod nanquantile polar rearrange rfft scan select "
            "separable_conv slogdet stft trapezoid unfold unique unravel_index vander vectorize view view_as_complex "
            "view_as_real vsplit"
        ),
    },
    "keras.ops.image": {
        "The Random* layers warp, blur and crop images; torchvision.transforms.v2 has the rest": (
            "affine_transform elastic_transform extract_patches_3d gaussian_blur map_coordinates perspective_transform "
            "scale_and_translate sobel_edges ssim"
        )
    },
    "keras.optimizers": {
        "Give the model to a Lightning Trainer, with its own configure_optimizers()": "MultiOptimizer OptimizerMap"
    },
    "keras.preprocessing": {
        "This package classifies images: prepare sequences and text with torch or scikit-learn": (
            "sequence text text_dataset_from_directory timeseries_dataset_from_array"
        )
    },
    "keras.random": {"Draw from torch.distributions": "beta gamma"},
    "keras.saving": {"Read the file with h5py": "KerasFileEditor"},
    "keras.utils": {
        "Batches are prepared by threads on their own: give fit() a PyDataset with workers=": (
            "GeneratorEnqueuer OrderedEnqueuer SequenceEnqueuer TimedThread"
        ),
        "Give fit() validation_data: it evaluates in the same process": "SidecarEvaluator",
        "Leave it out; compile(jit_compile=True) compiles the step": "StepsPerExecutionTuner",
        "This package classifies images, it does not detect objects": "bounding_boxes",
        "Use a dict or a dataclass": "Config",
        "Look for the name in keras.utils or keras.saving": "experimental legacy",
        "This package has no text layers": "warmstart_embedding_matrix",
        "Use str(number)": "to_ordinal",
        "Prepare tables of features with scikit-learn: this package classifies images": "FeatureSpace",
        "Read sounds with torchaudio and pass a torch DataLoader to fit()": "audio_dataset_from_directory",
        "Use torch.nn.utils.rnn.pad_sequence: this package classifies images": "pad_sequences",
        "For images use image_dataset_from_directory": "text_dataset_from_directory",
        "Cut the windows with numpy.lib.stride_tricks.sliding_window_view": "timeseries_dataset_from_array",
        "Run with --devices 2, or fit(..., devices=2), which trains on several devices": "multi_gpu_model",
    },
    # -- of programs that the runner runs --------------------------------------------------------------------------
    "tensorflow": {
        "Save the model with model.save('model.keras') and convert it with TensorFlow itself": "lite",
        "Save with model.save('model.keras'), or .h5 for older Keras": "saved_model",
        "Use model.save_weights()/load_weights(), and keras.optimizers for optimizers": "train",
        "Use keras.Model with compile() and fit()": "estimator",
        "TensorFlow 1's contrib is gone; look for the name in keras": "contrib",
        "Use keras.datasets.mnist.load_data(), or image_dataset_from_directory": "examples",
        "Use tf.summary.create_file_writer(logdir), or keras.callbacks.TensorBoard(log_dir)": "summary",
        "Choose the hardware with --accelerator and --devices": "tpu",
        "Use tf.math, tf.image or torch": "raw_ops",
        "Prepare tables with scikit-learn": "feature_column",
    },
    "tensorflow tensorflow.compat.v1": {
        "Use keras.Input": "placeholder",
        "Use tf.data.TFRecordDataset(filenames)": "TFRecordReader",
    },
    "tensorflow.io": {"Use tf.io.parse_single_example with FixedLenSequenceFeature": "parse_single_sequence_example"},
    "tensorflow.lite": {
        "A .tflite file runs in TensorFlow alone: load the .keras or .h5 that it was made from, with "
        "keras.models.load_model(path), and call model.predict(images)": "Interpreter"
    },
    "tensorflow.saved_model": {
        "Load with keras.models.load_model(folder), which reads what Keras 2 wrote; for other folders build the "
        "network in code and take its weights: model.load_weights(folder)": "load"
    },
    "": {  # packages
        "It is made of TensorFlow's operations: use keras.datasets (mnist, fashion_mnist, cifar10, cifar100), or read "
        "the images from a folder, with image_dataset_from_directory": "tensorflow_datasets",
        "Its modules are TensorFlow's graphs: take a network of keras.applications as the base": "tensorflow_hub",
        "Save the model with model.save('model.keras') and prune or quantize it elsewhere": (
            "tensorflow_model_optimization"
        ),
        "Use torch.distributions": "tensorflow_probability",
        "Read the images with tf.io, PIL or image_dataset_from_directory": "tensorflow_io",
        "Text is outside this package, which classifies images": "tensorflow_text",
        "Use keras.Model with compile() and fit()": "tensorflow_estimator",
        "Use keras.layers and keras.applications": "tf_slim",
        "Use keras.layers, keras.Model and fit()": "tflearn",
        "The engine is PyTorch: leave it out": "theano",
        "Save the model with model.save('model.keras') and convert it with tensorflowjs beside TensorFlow": (
            "tensorflowjs"
        ),
        "Take the network from keras.applications": "classification_models",
        "Take EfficientNetB0 to B7 from keras.applications": "efficientnet",
        "google.colab is for notebooks in Colab: read the files from a folder": "google",
        "It was never released; look for the name in keras.layers or keras.optimizers": "keras_contrib",
        "Build the network with keras.applications and load_weights": "keras_vggface",
        "It is for Kaggle's own machines: read the files from a folder": "kaggle_datasets",
    },
}
