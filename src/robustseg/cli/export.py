"""`robustseg export`."""

import argparse
import sys
from importlib.util import find_spec
from typing import Any

from robustseg.cli.file_argument import file_ending
from robustseg.cli.run_argument import add_run, begin, loaded, share, threshold_of


def add_parser(subparsers: Any) -> None:
    """Add the command ``export``."""
    parser = subparsers.add_parser(
        "export",
        help="the network as an ONNX model",
        description="Write a finished run's network as an ONNX model (float32, any batch size); "
        "the metadata say how to prepare its input. If onnxruntime is installed, the "
        "model is run and compared with PyTorch. Needs: pip install 'robustseg[onnx]'",
        epilog="robustseg export runs/isic2017-tloss-clean-s0-1f2e3d4c -o lesions.onnx",
    )
    add_run(parser, device=False)
    parser.add_argument("-o", "--out", type=file_ending(".onnx"), required=True, help="ONNX file")
    parser.add_argument(
        "--threshold",
        type=share,
        metavar="P",
        help="threshold to write into the metadata (default: 0.5; with several classes the "
        "largest probability decides)",
    )
    parser.set_defaults(main=main)


def main(options: argparse.Namespace) -> int:
    """Write the model; 1 if ONNX Runtime computes something else with it."""
    begin(options)
    import numpy as np

    from robustseg.finished.onnx import TOLERANCE, difference, export_onnx, metadata

    run = loaded(options)
    threshold = threshold_of(options, run)
    export_onnx(run, options.out, threshold=threshold)
    for name, value in metadata(run, threshold).items():
        if name != "settings":
            print(f"{name:14} {value}")
    if find_spec("onnxruntime") is None:
        print(f"{options.out} is written, unchecked: onnxruntime is not installed")
        return 0
    shape = (3, run.image_size, run.image_size, run.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    found = difference(run, options.out, images)
    if not found <= TOLERANCE:  # NaN, too
        print(
            f"{options.prog}: {options.out}: probabilities differ by {found:.1e}", file=sys.stderr
        )
        return 1
    print(f"{options.out} is written; ONNX Runtime's probabilities differ by {found:.1e} at most")
    return 0
