"""Makes the images of this folder, and in `reference` what Pillow decodes of them, upright.

Made with Pillow 9.4 (libjpeg-turbo 2.1.5, libwebp 1.2.4), run in this folder.
"""

import numpy as np
from PIL import Image, ImageOps

H, W = 12, 16
y, x = np.mgrid[0:H, 0:W]
rgb = np.stack([x * 255 // (W - 1), y * 255 // (H - 1), 255 - (x + y) * 255 // (W + H - 2)], -1)
rgb = rgb.astype("uint8")
rgb[2:6, 3:8] = [230, 30, 40]
image = Image.fromarray(rgb)
alpha = Image.fromarray(np.dstack([rgb, (x * 17).astype("uint8")]))


def save(name, image, **options):
    image.save(name, **options)
    if name in ("cmyk.jpg", "animated.webp"):
        return  # These are not read.
    decoded = ImageOps.exif_transpose(Image.open(name))
    decoded.convert(decoded.mode if decoded.mode in ("L", "RGBA") else "RGB").save(
        f"reference/{name}.png"
    )


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


save("444.jpg", image, quality=92, subsampling=0)
save("420.jpg", image, quality=92, subsampling=2)
save("progressive.jpg", image, quality=92, subsampling=2, progressive=True)
save("gray.jpg", image.convert("L"), quality=92)
save("cmyk.jpg", image.convert("CMYK"), quality=92)
for o in range(1, 9):
    save(f"turned{o}.jpg", image, quality=92, subsampling=0, exif=turned(o))
save("turned6.webp", image, lossless=True, exif=turned(6))
save("lossy.webp", image, quality=90)
save("lossless.webp", image, lossless=True)
save("alpha.webp", alpha, quality=90)
mirrored = [ImageOps.mirror(image)]
save("animated.webp", image, save_all=True, append_images=mirrored, lossless=True)
