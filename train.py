"""Train one run, or with -m a sweep of them: `python train.py --help`."""

import sys

from robustseg.cli.train import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], "train.py"))
