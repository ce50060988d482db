#!/usr/bin/env python3
"""unprivileged.py PROGRAM ARGUMENTS... becomes the program, which may neither raise its priority nor lock memory."""

import ctypes
import os
import resource
import sys

PR_CAPBSET_DROP = 24
CAP_IPC_LOCK, CAP_SYS_NICE = 14, 23

for capability in CAP_IPC_LOCK, CAP_SYS_NICE:
    # Fails for who is not root, and has neither.
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
for limit in resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK:
    resource.setrlimit(limit, (0, 0))
os.execv(sys.argv[1], sys.argv[1:])
