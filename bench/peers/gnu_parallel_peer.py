"""GNU parallel on the work of bench/: one job, job rate, maps of 10 us items.

It has no cluster to start and no function to call: a task is a command.
"""
import shutil
import subprocess
import sys

COMMAND = shutil.which("parallel")
VERSION = COMMAND and subprocess.run([COMMAND, "--version"], capture_output=True,
                                     text=True).stdout.split("\n")[0]
if not VERSION or not VERSION.startswith("GNU parallel"):
    print("skip\tparallel\tno GNU parallel on PATH; Debian: parallel")
    sys.exit(0)

from common import SPIN, STEPS, WORKERS, load_work, median_seconds, report

TOOL = VERSION
CHUNK = 500


def run(arguments, items, command):
    done = subprocess.run([COMMAND, "--will-cite", f"-j{WORKERS}", "-k", *arguments, *command],
                          input="\n".join(map(str, items)) + "\n", capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"parallel: {done.stderr}")
    return done.stdout.split()


def check_map(n, chunk):
    reference = load_work()
    results = [int(word) for word in run([f"-N{chunk}"], range(n), [SPIN, str(STEPS), "{}"])]
    assert results[:10] == [reference(i, STEPS) for i in range(10)] and len(results) == n


def main():
    report(TOOL, "rtt", 1e6 * median_seconds(lambda: run([], [1], ["true"]), 5), "us")
    n = 500
    report(TOOL, "single_rate", n / median_seconds(lambda: run([], range(n), ["true", "{}"]), 3),
           "tasks/s")
    report(TOOL, "map", n / median_seconds(lambda: check_map(n, 1), 3), "items/s")
    n = 20000
    report(TOOL, "map_chunked", n / median_seconds(lambda: check_map(n, CHUNK), 3), "items/s")


if __name__ == "__main__":
    main()
