"""`python3 -m dirty_arbiter.worker`."""

import sys

from ._process import main

sys.exit(main())
