"""PyTorch on the CPU, speaking the protocol of protocol.ts.

Keras pads a 5 x 5 convolution of stride 2 by one before and two after; PyTorch's own arguments
(padding=2, and output_padding=1 for a transposed one) give two before and one after. So this is
the tutorial's network in a mirror: images and kernels are reversed along both axes of the plane
when they come in and when they go out, and every layer is PyTorch's own without a copy for padding.
Likewise the dense weights are reordered once, from Keras' channels last to channels first.
"""

import json
import math
import os
import struct
import sys
import traceback

import torch
from torch import nn
from torch.nn import functional as F

NOISE_DIM = 100
PLANE = (2, 3)

# Debian's build may start with one thread where there are more processors.
if torch.get_num_threads() == 1:
    torch.set_num_threads(os.cpu_count())


class Generator(nn.Module):
    def __init__(self, widths=(256, 128, 64)):
        super().__init__()
        a, b, c = widths
        self.dense = nn.Linear(NOISE_DIM, a * 7 * 7, bias=False)
        # Keras' momentum 0.99 is what PyTorch calls 0.01.
        norm = {"eps": 1e-3, "momentum": 0.01}
        self.norm1 = nn.BatchNorm1d(a * 7 * 7, **norm)
        self.conv1 = nn.ConvTranspose2d(a, b, 5, 1, padding=2, bias=False)
        self.norm2 = nn.BatchNorm2d(b, **norm)
        self.conv2 = nn.ConvTranspose2d(b, c, 5, 2, padding=2, output_padding=1, bias=False)
        self.norm3 = nn.BatchNorm2d(c, **norm)
        self.conv3 = nn.ConvTranspose2d(c, 1, 5, 2, padding=2, output_padding=1, bias=False)

    def forward(self, noise):
        x = F.leaky_relu(self.norm1(self.dense(noise)), 0.3)
        x = self.conv1(x.view(len(x), -1, 7, 7))
        x = self.conv2(F.leaky_relu(self.norm2(x), 0.3))
        x = self.conv3(F.leaky_relu(self.norm3(x), 0.3))
        return torch.tanh(x)


class Discriminator(nn.Module):
    def __init__(self, dropout, widths=(64, 128)):
        super().__init__()
        a, b = widths
        self.layers = nn.Sequential(
            nn.Conv2d(1, a, 5, 2, padding=2),
            nn.LeakyReLU(0.3),
            nn.Dropout(dropout),
            nn.Conv2d(a, b, 5, 2, padding=2),
            nn.LeakyReLU(0.3),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(b * 7 * 7, 1),
        )

    def forward(self, images):
        return self.layers(images)


def cross_entropy(logits, label):
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def read_safetensors(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = bytearray(file.read())
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        flat = torch.frombuffer(data, dtype=torch.float32, offset=begin, count=(end - begin) // 4)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def read_floats(path, *shape):
    with open(path, "rb") as file:
        return torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(shape)


def channels_first(x):
    """One value a feature, [7, 7, 256] in Keras' order; a value a channel stays as it is."""
    if x.numel() != 7 * 7 * 256:
        return x
    return x.reshape(7, 7, 256).flip(0, 1).permute(2, 0, 1).reshape(-1)


def load_generator(model, weights):
    dense = weights["generator/dense/kernel"].reshape(NOISE_DIM, 7, 7, 256).flip(1, 2)
    state = {"dense.weight": dense.permute(3, 1, 2, 0).reshape(-1, NOISE_DIM)}
    names = {"gamma": "weight", "beta": "bias"}
    names |= {"moving_mean": "running_mean", "moving_variance": "running_var"}
    for i in range(3):
        suffix = f"_{i}" if i else ""
        # [kh, kw, out, in]
        kernel = weights[f"generator/conv2d_transpose{suffix}/kernel"].flip(0, 1)
        state[f"conv{i + 1}.weight"] = kernel.permute(3, 2, 0, 1)
        for keras, ours in names.items():
            value = weights[f"generator/batch_normalization{suffix}/{keras}"]
            state[f"norm{i + 1}.{ours}"] = channels_first(value)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)


def load_discriminator(model, weights):
    dense = weights["discriminator/dense/kernel"].reshape(7, 7, 128).flip(0, 1)
    state = {
        "layers.7.weight": dense.permute(2, 0, 1).reshape(1, -1),
        "layers.7.bias": weights["discriminator/dense/bias"],
    }
    for suffix, layer in (("", 0), ("_1", 3)):
        # [kh, kw, in, out]
        kernel = weights[f"discriminator/conv2d{suffix}/kernel"].flip(0, 1)
        state[f"layers.{layer}.weight"] = kernel.permute(3, 2, 0, 1)
        state[f"layers.{layer}.bias"] = weights[f"discriminator/conv2d{suffix}/bias"]
    model.load_state_dict(state)


class Contestant:
    def describe(self):
        return {"text": f"PyTorch {torch.__version__} on {torch.get_num_threads()} CPU threads"}

    def prepare(self, weights, images, batch, dropout, exact):
        tensors = read_safetensors(weights)
        self.generator = Generator()
        self.discriminator = Discriminator(dropout)
        load_generator(self.generator, tensors)
        load_discriminator(self.discriminator, tensors)
        self.optimizers = [
            torch.optim.Adam(model.parameters(), lr=1e-4, eps=1e-7)
            for model in (self.generator, self.discriminator)
        ]
        with open(images, "rb") as file:
            pixels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
        images = pixels.reshape(batch, 1, 28, 28).flip(PLANE)
        self.images = (images.float() - 127.5) / 127.5
        self.exact = exact
        self.steps = 0
        return {}

    def step(self, noise=None):
        batch = len(self.images)
        self.steps += 1
        if self.exact:
            # Keras adds epsilon before the bias correction: see kerasEpsilon in serve.ts.
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["eps"] = 1e-7 / math.sqrt(1 - 0.999**self.steps)
        given = read_floats(noise, batch, NOISE_DIM) if noise else torch.randn(batch, NOISE_DIM)
        losses = self.train_step(self.images, given)
        return {"losses": [loss.item() for loss in losses]}

    def train_step(self, images, noise):
        """The tutorial's: both gradients from one forward pass, before either update."""
        self.generator.train()
        self.discriminator.train()
        fake = self.generator(noise)
        real_logits = self.discriminator(images)
        fake_logits = self.discriminator(fake)
        generator_loss = cross_entropy(fake_logits, 1.0)
        discriminator_loss = cross_entropy(real_logits, 1.0) + cross_entropy(fake_logits, 0.0)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        generator_loss.backward(retain_graph=True, inputs=list(self.generator.parameters()))
        discriminator_loss.backward(inputs=list(self.discriminator.parameters()))
        for optimizer in self.optimizers:
            optimizer.step()
        return generator_loss, discriminator_loss

    def generate(self, noise, batch, runs, to=None):
        given = read_floats(noise, batch, NOISE_DIM)
        self.generator.eval()
        with torch.no_grad():
            for _ in range(runs):
                images = self.generator(given)
        if to:
            with open(to, "wb") as file:
                file.write(bytes(images.flip(PLANE).contiguous().view(-1).numpy().data))
        return {}


def main():
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # stdout belongs to the protocol
    contestant = Contestant()
    for line in sys.stdin:
        try:
            request = json.loads(line)
            answer = getattr(contestant, request.pop("call"))(**request)
        except Exception:
            answer = {"error": traceback.format_exc()}
        out.write(json.dumps(answer) + "\n")
        out.flush()


if __name__ == "__main__":
    main()
