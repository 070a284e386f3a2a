"""Networks with the weights of ImageNet, or random ones, as functional models. Keras: `keras.applications`.

The signatures, the checks and the layer names that programs ask for are Keras'. What
differs, and why:

- **The networks and weights are torchvision's**: VGG, ResNet, InceptionV3, GoogLeNet, AlexNet, MobileNetV2 and V3,
  DenseNet, EfficientNet, EfficientNetV2 S/M/L and ConvNeXt are translated layer for layer (`from_torch`), with the same
  outputs as in torchvision. ResNet50V2 …, Xception, MobileNet and InceptionResNetV2, which torchvision lacks, are
  Keras' own networks, and take Keras' own weight files.
- **`preprocess_input` maps 0..255 to what these weights expect.** For VGG and ResNet that is torchvision's
  normalisation (RGB, ImageNet's mean and deviation), where Keras' weights wanted BGR less the mean: the line in the
  program stays, and is right. Input prepared by hand in Keras' way would be wrong here. A Keras `.h5` of VGG fits
  `weights=path` too; its images go through `imagenet_utils.preprocess_input(x, mode="caffe")`.
- **`weights="imagenet"`** looks for torchvision's file in the folder named by the environment variable
  SCENE_LIGHTNING_WEIGHTS and in torch.hub's checkpoint folder (Keras' networks: in `~/.keras/models`), and fetches it
  otherwise; without a network the error says which file goes where.
- **`weights=None`** starts from Keras' initialisers.
- NASNet, ConvNeXtXLarge and EfficientNetV2 B0 to B3 raise UnsupportedError and name the nearest network.
"""

from __future__ import annotations

from scene_lightning._unsupported import explain_missing_names
from scene_lightning.applications import (
    alexnet,
    convnext,
    densenet,
    efficientnet,
    efficientnet_lite,
    efficientnet_v2,
    googlenet,
    imagenet_utils,
    inception_resnet_v2,
    inception_v3,
    mobilenet,
    mobilenet_v2,
    mobilenet_v3,
    nasnet,
    resnet,
    resnet50,
    resnet_v2,
    vgg16,
    vgg19,
    xception,
)
from scene_lightning.applications.alexnet import AlexNet
from scene_lightning.applications.convnext import ConvNeXtBase, ConvNeXtLarge, ConvNeXtSmall, ConvNeXtTiny
from scene_lightning.applications.densenet import DenseNet121, DenseNet169, DenseNet201
from scene_lightning.applications.efficientnet import (
    EfficientNetB0,
    EfficientNetB1,
    EfficientNetB2,
    EfficientNetB3,
    EfficientNetB4,
    EfficientNetB5,
    EfficientNetB6,
    EfficientNetB7,
)
from scene_lightning.applications.efficientnet_lite import EfficientNetLite0, EfficientNetLite1, EfficientNetLite2
from scene_lightning.applications.efficientnet_v2 import EfficientNetV2L, EfficientNetV2M, EfficientNetV2S
from scene_lightning.applications.googlenet import GoogLeNet
from scene_lightning.applications.inception_resnet_v2 import InceptionResNetV2
from scene_lightning.applications.inception_v3 import InceptionV3
from scene_lightning.applications.mobilenet import MobileNet
from scene_lightning.applications.mobilenet_v2 import MobileNetV2
from scene_lightning.applications.mobilenet_v3 import MobileNetV3Large, MobileNetV3Small
from scene_lightning.applications.resnet import ResNet50, ResNet101, ResNet152
from scene_lightning.applications.resnet_v2 import ResNet50V2, ResNet101V2, ResNet152V2
from scene_lightning.applications.vgg16 import VGG16
from scene_lightning.applications.vgg19 import VGG19
from scene_lightning.applications.xception import Xception

__all__ = [
    "VGG16", "VGG19", "AlexNet", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny",
    "DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3",
    "EfficientNetB4", "EfficientNetB5", "EfficientNetB6", "EfficientNetB7", "EfficientNetLite0", "EfficientNetLite1",
    "EfficientNetLite2",
    "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S", "GoogLeNet", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small", "ResNet50",
    "ResNet50V2", "ResNet101", "ResNet101V2", "ResNet152", "ResNet152V2", "Xception", "alexnet", "convnext", "densenet",
    "efficientnet", "efficientnet_lite", "efficientnet_v2", "googlenet", "imagenet_utils", "inception_resnet_v2",
    "inception_v3", "mobilenet", "mobilenet_v2", "mobilenet_v3", "nasnet", "resnet", "resnet50", "resnet_v2", "vgg16",
    "vgg19", "xception",
]  # fmt: skip

explain_missing_names(__name__, __all__)
