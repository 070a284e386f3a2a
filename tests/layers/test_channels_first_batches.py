"""A layer called by itself on a torch user's NCHW batch says so, as whole models do, before it makes a wrong kernel."""

from __future__ import annotations

import pytest
import torch

from scene_lightning import layers
from scene_lightning.errors import InputError

MAKES = [
    lambda: layers.Conv2D(4, 3),
    lambda: layers.Conv2D(4, 5),
    lambda: layers.SeparableConv2D(4, 3),
    lambda: layers.DepthwiseConv2D(3, padding="same"),
    lambda: layers.Conv2DTranspose(4, 3),
]


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_first_batch_is_refused(make, channels):
    layer = make()
    with pytest.raises(InputError, match=r"looks like NCHW; images are NHWC.*permute\(0, 2, 3, 1\)"):
        layer(torch.rand(2, channels, 32, 32))
    assert not layer.built
    assert layer(torch.rand(2, 32, 32, channels)).shape[0] == 2
    with pytest.raises(InputError, match=r"permute\(0, 2, 3, 1\)"):
        layer(torch.rand(2, channels, 32, 32))


def test_in_a_torch_module_too():
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = layers.Conv2D(4, 3)

        def forward(self, x):
            return self.conv(x)

    with pytest.raises(InputError, match="NCHW"):
        Net()(torch.rand(2, 3, 64, 64))


def test_what_may_be_meant_goes_on():
    assert layers.Conv2D(4, 3)(torch.rand(2, 4, 4, 64)).shape == (2, 2, 2, 4)
    assert layers.Conv2D(4, 3, padding="same")(torch.rand(2, 3, 32, 3)).shape == (2, 3, 32, 4)
    meant = layers.Conv2D(4, 3)
    meant.build((None, 3, 32, 32))
    assert meant(torch.rand(2, 3, 32, 32)).shape == (2, 1, 30, 4)
    first = layers.Conv2D(4, 3, data_format="channels_first")
    assert first(torch.rand(2, 3, 32, 32)).shape == (2, 4, 30, 30)
