"""`python -m robustseg`: the command `robustseg`."""

import sys

from robustseg.cli.main import main

sys.exit(main())
