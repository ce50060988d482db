#!/usr/bin/env python3
"""full_disk.py PROGRAM ARGUMENTS... becomes the program; whatever it writes to a file fails, as on a full disk."""

import os
import resource
import signal
import sys

# Without this the kernel ends the writer, which a full disk does not.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
os.execv(sys.argv[1], sys.argv[1:])
