"""Trains the tutorial's DCGAN with PyTorch, to compare its images with this library's.

    python3 bench/peers/torch_train.py --images train-images-idx3-ubyte --out DIR \\
        [--preset tutorial|quick] [--seed N] [--steps 938,2814] [--threads N]

The networks, optimizers and losses are those of torch_dcgan.py; weights begin Glorot-uniform, noise,
order and dropout come from PyTorch's own random numbers. After each of the given steps the generator is
written as DIR/step-N.safetensors, which `dcgan evaluate` and `dcgan sample` read.
"""

import argparse
import json
import math
import os
import struct
import time

import torch
from torch_dcgan import NOISE_DIM, PLANE, Discriminator, Generator, cross_entropy

PRESETS = {
    "tutorial": dict(batch=256, widths=((256, 128, 64), (64, 128)), lr=1e-4, beta1=0.9),
    "quick": dict(batch=64, widths=((128, 64, 32), (32, 64)), lr=2e-4, beta1=0.5),
}


def glorot(model):
    """Keras' first weights: kernels uniform by both fans, biases zero."""
    for layer in model.modules():
        if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)


def keras_weights(model):
    """The generator's weights with Keras' names and layouts; see torch_dcgan.py for the mirror."""
    first = model.conv1.weight.shape[0]

    def last(x):
        if x.numel() != 49 * first:
            return x
        return x.reshape(first, 7, 7).flip(1, 2).permute(1, 2, 0).reshape(-1)

    dense = model.dense.weight.reshape(first, 7, 7, NOISE_DIM).flip(1, 2)
    weights = {"dense/kernel": dense.permute(3, 1, 2, 0).reshape(NOISE_DIM, -1)}
    for i in range(3):
        suffix = f"_{i}" if i else ""
        kernel = getattr(model, f"conv{i + 1}").weight
        weights[f"conv2d_transpose{suffix}/kernel"] = kernel.permute(2, 3, 1, 0).flip(0, 1)
        norm = getattr(model, f"norm{i + 1}")
        for name, value in {
            "gamma": norm.weight,
            "beta": norm.bias,
            "moving_mean": norm.running_mean,
            "moving_variance": norm.running_var,
        }.items():
            weights[f"batch_normalization{suffix}/{name}"] = last(value)
    return weights


def write_safetensors(path, tensors):
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = bytes(tensor.detach().contiguous().view(-1).numpy().data)
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_images(path):
    with open(path, "rb") as file:
        file.seek(16)
        pixels = torch.frombuffer(bytearray(file.read()), dtype=torch.uint8)
    return pixels.reshape(-1, 1, 28, 28).flip(PLANE)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--preset", choices=PRESETS, default="tutorial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", default="2814")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    preset = PRESETS[args.preset]
    wanted = sorted(int(step) for step in args.steps.split(","))
    os.makedirs(args.out, exist_ok=True)

    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    generator = Generator(preset["widths"][0])
    discriminator = Discriminator(0.3, preset["widths"][1])
    for model in (generator, discriminator):
        glorot(model)
    adam = dict(lr=preset["lr"], betas=(preset["beta1"], 0.999), eps=1e-7)
    optimizers = [torch.optim.Adam(m.parameters(), **adam) for m in (generator, discriminator)]
    images = read_images(args.images)
    step, begun = 0, time.time()
    while step < wanted[-1]:
        for indices in torch.randperm(len(images)).split(preset["batch"]):
            real = (images[indices].float() - 127.5) / 127.5
            fake = generator(torch.randn(len(indices), NOISE_DIM))
            real_logits, fake_logits = discriminator(real), discriminator(fake)
            generator_loss = cross_entropy(fake_logits, 1.0)
            discriminator_loss = cross_entropy(real_logits, 1.0) + cross_entropy(fake_logits, 0.0)
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            generator_loss.backward(retain_graph=True, inputs=list(generator.parameters()))
            discriminator_loss.backward(inputs=list(discriminator.parameters()))
            for optimizer in optimizers:
                optimizer.step()
            step += 1
            if step in wanted:
                path = os.path.join(args.out, f"step-{step}.safetensors")
                write_safetensors(path, keras_weights(generator))
                losses = f"{generator_loss.item():.4f} {discriminator_loss.item():.4f}"
                print(f"{path}  losses {losses}  {time.time() - begun:.0f} s", flush=True)
            if step == wanted[-1] or not math.isfinite(generator_loss.item()):
                return


if __name__ == "__main__":
    main()
