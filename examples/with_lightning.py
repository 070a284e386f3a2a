"""A Lightning user's program around Keras' layers: your DataModule, Trainer, callbacks, loggers, checkpoints and steps.

Usage: python examples/with_lightning.py [FOLDER]     (FOLDER holds train and val, of class folders; drawn if not given)
It takes some seconds on a CPU. docs/lightning-users.md explains each part.
"""

import sys
import tempfile
from functools import partial
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from torchvision import datasets, transforms

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.demo_scenes.scenes import draw_scenes

SIZE, CLASSES = 32, 6
QUIET = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}


def to_nhwc(image):
    """A photograph as Keras takes it: (height, width, channels), float32 from 0 to 1."""
    return transforms.functional.pil_to_tensor(image).permute(1, 2, 0).float() / 255


# 1. Data: any LightningDataModule. Images are NHWC; labels are integers ("sparse") or one-hot, as the loss says.
class Scenes(L.LightningDataModule):
    def __init__(self, folder, batch_size=8):
        super().__init__()
        self.folder, self.batch_size = Path(folder), batch_size

    def setup(self, stage):
        resize = transforms.Compose([transforms.Resize((SIZE, SIZE)), to_nhwc])
        self.parts = {part: datasets.ImageFolder(self.folder / part, resize) for part in ("train", "val")}

    def train_dataloader(self):
        return torch.utils.data.DataLoader(self.parts["train"], self.batch_size, shuffle=True)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(self.parts["val"], self.batch_size)

    test_dataloader = predict_dataloader = val_dataloader


# 2. A model: Keras' layers, compiled with Keras' words or with torch's optimizer.
def network():
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(4),
            layers.BatchNormalization(momentum=0.8),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(CLASSES, activation="softmax"),
        ]
    )


# 3. Or a LightningModule of your own: `compile` is not needed then.
class OwnSteps(keras.Model):
    def __init__(self, width=16, rate=1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.features = keras.Sequential([layers.Conv2D(width, 3, activation="relu"), layers.GlobalAveragePooling2D()])
        self.head = layers.Dense(CLASSES)

    def call(self, images):
        return self.head(self.features(images))

    def training_step(self, batch, batch_idx):
        images, labels = batch
        loss = torch.nn.functional.cross_entropy(self(images), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        images, labels = batch
        self.log("val_accuracy", (self(images).argmax(-1) == labels).float().mean())

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.hparams.rate)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=6)]


def main(folder, out):
    L.seed_everything(1)
    data = Scenes(folder)
    model = network()
    model.compile(
        optimizer=partial(torch.optim.AdamW, lr=3e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    best = ModelCheckpoint(out / "best", monitor="val_accuracy", mode="max")
    trainer = L.Trainer(
        max_epochs=6,
        accelerator="auto",
        callbacks=[best, LearningRateMonitor("epoch"), keras.callbacks.EarlyStopping("val_loss", patience=3)],
        logger=CSVLogger(out),
        log_every_n_steps=1,
        **QUIET,
    )
    trainer.fit(model, datamodule=data)
    tested = trainer.test(model, datamodule=data, verbose=False)[0]
    print("compiled:", {name: round(value, 3) for name, value in tested.items()})

    loaded = keras.Sequential.load_from_checkpoint(best.best_model_path, map_location="cpu")
    print("loaded:  ", loaded.predict(data, verbose=0).shape, "probabilities; Keras' evaluate:", end=" ")
    print({name: round(value, 3) for name, value in loaded.evaluate(data, verbose=0, return_dict=True).items()})

    own = OwnSteps()
    trainer = L.Trainer(max_epochs=6, logger=False, enable_checkpointing=False, **QUIET)
    trainer.fit(own, datamodule=data)
    print("own steps:", {name: round(float(value), 3) for name, value in trainer.callback_metrics.items()})

    batch = torch.export.Dim("batch")
    example = torch.rand(2, SIZE, SIZE, 3)
    exported = torch.export.export(loaded, (example,), dynamic_shapes={"inputs": {0: batch}})
    print("exported: ", tuple(exported.module()(torch.rand(5, SIZE, SIZE, 3)).shape))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        images = Path(place) / "scenes"
        if len(sys.argv) < 2:
            draw_scenes(images, 20, test_per_class=4, predict=1, size=SIZE)
            (images / "seg_train").rename(images / "train")
            (images / "seg_test").rename(images / "val")
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else images, Path(place))
