"""What surrounds the lungs on a chest X-ray: soft tissue and bones, as optical depths."""

from dataclasses import dataclass

import numpy as np

from robustseg.data.synthetic.texture import Array, field, fractal, length, smoothstep


@dataclass(frozen=True)
class Build:
    """Where one body's chest lies; lengths are shares of the side.

    Attributes:
        side: Distance from the midline (canvas, canvas), negative on the image's left.
        y: Height of the rows (canvas, 1), growing downwards.
        top: Height of the apex of the lungs.
        base: Height of the dome of the diaphragm.
        scale: Width of the rib cage, 1 on average.
    """

    side: Array
    y: Array
    top: float
    base: float
    scale: float

    @property
    def out(self) -> Array:
        """Distance from the midline, (canvas, canvas)."""
        return np.abs(self.side)

    @property
    def cage(self) -> Array:
        """Half the width of the rib cage at each height, (canvas, 1)."""
        height = (self.y - self.top) / (self.base - self.top)
        heights = (-0.15, -0.05, 0.05, 0.2, 0.45, 0.7, 1.0, 1.5)
        widths = (0.06, 0.17, 0.245, 0.293, 0.340, 0.368, 0.386, 0.39)
        return (self.scale * np.interp(height, heights, widths)).astype(np.float32)


def tissue(rng: np.random.Generator, build: Build, heart: Array | None = None) -> Array:
    """Return the depth of trunk, shoulders, neck, mediastinum, heart and abdomen, without lungs.

    The heart is painted where its shape is given, 1 at its edge and less inside, else at a place of
    its own.
    """
    y, out, top, base = build.y, build.out, build.top, build.base
    flank = build.scale * 0.385 + rng.uniform(0.03, 0.13)
    slope, axilla, spread = rng.uniform(0.1, 0.4), rng.uniform(0.30, 0.50), rng.uniform(0.3, 2.0)
    # Half the body's width: neck, then shoulders to the frame and beyond.
    half = 0.10 + 0.05 * smoothstep(y, 0, top)
    half = half + 0.65 * smoothstep(y, top - 0.16, top + slope * 0.4)
    # Air between the flank and the arm, a wedge that opens downwards from the armpit.
    waist = flank + rng.uniform(-0.12, 0.06) * (y - axilla)
    wedge = np.minimum(out - waist, waist + spread * (y - axilla) - out)
    body = smoothstep(half - out, -0.004, 0.10) * smoothstep(
        -wedge, -0.004, rng.uniform(0.04, 0.08)
    )
    wall = 1.15 + 0.25 * smoothstep(out, build.cage - 0.08, build.cage + 0.02)
    wall = wall - 0.55 * smoothstep(out, build.cage, build.cage + 0.14)
    shoulders = 0.35 * (1 - smoothstep(y, top - 0.05, top + 0.25))
    middle = 0.55 * np.exp(-((out / 0.10) ** 2)) * smoothstep(y, top - 0.1, top + 0.2)
    below = rng.uniform(0.35, 0.75) * smoothstep(y, base - 0.06, base + 0.10)
    depth = body * (wall - shoulders + middle + below * smoothstep(-out, -0.42, -0.25))
    depth = depth + _heart(rng, build, heart) + _breasts(rng, build) + _gas(rng, build)
    depth *= 1 + 0.05 * fractal(rng, 5, 4, out.shape[0])
    return depth.astype(np.float32)


def _heart(rng: np.random.Generator, build: Build, shape: Array | None) -> Array:
    """Return the heart less the air of the windpipe."""
    if shape is None:
        across = (build.side - rng.uniform(0.04, 0.07)) / rng.uniform(0.12, 0.16)
        down = (build.y - build.base + 0.11) / 0.18
        shape = length(across, down)
    heart = 0.35 * smoothstep(-shape, -1.1, -0.6)
    windpipe = smoothstep(-np.abs(build.side - rng.normal(0, 0.006)), -0.026, -0.012)
    return heart - 0.35 * windpipe * (1 - smoothstep(build.y, build.top, build.top + 0.22))


def _breasts(rng: np.random.Generator, build: Build) -> Array:
    """Return two round shadows over the lower lungs, on some films."""
    if rng.random() > 0.4:
        return np.zeros_like(build.out)
    radius, sag = rng.uniform(0.12, 0.17), rng.uniform(-0.02, 0.05)
    distance = length((build.out - 0.23) / radius, (build.y - build.base + 0.10 - sag) / radius)
    upper = smoothstep(build.y, build.base - 0.30, build.base)
    return rng.uniform(0.05, 0.22) * smoothstep(-distance, -1.06, -0.96) * upper


def _gas(rng: np.random.Generator, build: Build) -> Array:
    """Return the (negative) depth of gas in stomach and bowel, under the diaphragm."""
    canvas = len(build.out)
    bend = 0.35 * field(rng, 12, canvas)
    across, down = rng.uniform(0.03, 0.08), rng.uniform(0.02, 0.05)
    centre = build.base + 0.04 + down + rng.uniform(0.01, 0.05)
    stomach = length((build.side - rng.uniform(0.12, 0.24)) / across, (build.y - centre) / down)
    bowel = smoothstep(fractal(rng, 9, 2, canvas), 1.2, 1.9)
    bowel = bowel * smoothstep(build.y, build.base + 0.15, build.base + 0.22)
    stomach = smoothstep(-stomach - bend, -1.15, -0.8)
    return -rng.uniform(0, 1.0) * stomach - rng.uniform(0, 0.6) * bowel


def bones(rng: np.random.Generator, build: Build) -> Array:
    """Return the depth of ribs, spine, collarbones and shoulder joints."""
    marrow = 1 + 0.2 * fractal(rng, 12, 4, len(build.y))
    return marrow * (_ribs(rng, build) + _spine(rng, build) + _shoulders(rng, build))


def _ribs(rng: np.random.Generator, build: Build) -> Array:
    """Return the back ribs, the fainter front ribs that cross them, and the edge of the cage."""
    y, out = build.y, build.out
    inside = build.cage - out
    rows = smoothstep(y, build.top - 0.06, build.top + 0.02)
    rows = rows * smoothstep(-y, -build.base - 0.25, -build.base + 0.03)
    cage = smoothstep(inside, -0.012, 0.0) * rows
    rim = np.exp(-(((inside + 0.002) / 0.008) ** 2)) * rows
    gap, strength = rng.uniform(0.060, 0.080), rng.uniform(0.10, 0.24)
    back = y - rng.uniform(1.4, 2.4) * (out - 0.10) ** 2 * (0.5 + y)
    front = y + rng.uniform(0.5, 0.9) * out - 0.3 * out**2
    depth = strength * smoothstep(out, 0.03, 0.06) * _bands(back / gap + rng.random())
    depth += 0.5 * strength * smoothstep(out, 0.10, 0.2) * _bands(front / gap + rng.random())
    return cage * depth + rng.uniform(0.1, 0.3) * rim


def _bands(phase: Array) -> Array:
    """Return one rib per unit of phase: a flat band with brighter rims, in [0, 1]."""
    across = np.abs(phase - np.floor(phase) - 0.5) * 2
    return smoothstep(-across, -0.60, -0.40) * (0.55 + 0.9 * across)


def _spine(rng: np.random.Generator, build: Build) -> Array:
    """Return vertebrae: a bright column with darker discs, wider towards the bottom."""
    width = 0.030 + 0.014 * build.y
    beat = np.cos(2 * np.pi * build.y / rng.uniform(0.045, 0.055) + rng.uniform(0, 6))
    column = smoothstep(width + 0.002 * beat - build.out, -0.008, 0.008)
    rims = np.exp(-(((build.out - width + 0.006) / 0.005) ** 2))
    return rng.uniform(0.2, 0.5) * column * (0.7 + 0.3 * beat + 0.6 * rims)


def _shoulders(rng: np.random.Generator, build: Build) -> Array:
    """Return collarbones, shoulder blades and the heads and shafts of the upper arms."""
    y, out, top = build.y, build.out, build.top
    line = top + rng.uniform(0.05, 0.10) - rng.uniform(0.15, 0.45) * (out - 0.03)
    line = line + 0.012 * np.sin(16 * out)
    collar = smoothstep(-np.abs(y - line), -0.019, -0.008) * smoothstep(out, 0.03, 0.05)
    depth = rng.uniform(0.15, 0.35) * collar * smoothstep(-out, -0.44, -0.40)
    joint = build.scale * 0.45 + rng.uniform(-0.01, 0.04)
    head = length(out - joint, y - top - 0.02)
    arm = np.abs(out - joint - 0.03 - 0.15 * (y - top)) + 2 * np.maximum(top - y, 0)
    depth += (
        0.35
        * np.maximum(smoothstep(-head, -0.06, -0.045), 0.8 * smoothstep(-arm, -0.035, -0.025))
        * smoothstep(-y, -0.6, -0.4)
    )
    blade = np.abs(out - joint + 0.055 - 0.1 * (y - top)) + np.maximum(
        np.abs(y - top - 0.12) - 0.1, 0
    )
    return depth + 0.22 * smoothstep(-blade, -0.010, -0.004)
