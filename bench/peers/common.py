"""What the peers' scripts share: arguments, the clock, one line a figure.

Every script is called as: SCRIPT LIBRARY SPIN STEPS, where LIBRARY has
`work_spin`, SPIN is the same as a command, and STEPS take 10 us.
"""
import ctypes
import statistics
import sys
import time

LIBRARY, SPIN, STEPS = sys.argv[1], sys.argv[2], int(sys.argv[3])
ENGINES = 4   # of the start
WORKERS = 2   # of everything else, as in the rows of xcluster


def report(tool, what, value, unit):
    print(f"peer\t{tool}\t{what}\t{value:.6g}\t{unit}", flush=True)


def seconds(function):
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


def median_seconds(function, rounds):
    return statistics.median(seconds(function) for _ in range(rounds))


def median_start(start, stop, rounds=3):
    """Seconds of start(ENGINES), whose result stop(*result) ends."""
    times = []
    for _ in range(rounds):
        started = []
        times.append(seconds(lambda: started.extend(start(ENGINES))))
        stop(*started)
    return statistics.median(times)


def load_work(path=LIBRARY):
    spin = ctypes.CDLL(path).work_spin
    spin.restype = ctypes.c_uint64
    spin.argtypes = [ctypes.c_uint64, ctypes.c_int64]
    return spin
