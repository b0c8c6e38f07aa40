"""Dask on the work of bench/: start, rtt, single rate, maps of 10 us items."""
import logging
import sys

try:
    import distributed
except ImportError as error:
    print(f"skip\tdask\t{error}; Debian: python3-distributed, or run.sh --venv DIR")
    sys.exit(0)

from common import LIBRARY, STEPS, WORKERS, load_work, median_seconds, median_start, report

TOOL = f"dask {distributed.__version__}"
CHUNK = 500


def increment(value):
    return value + 1


def spin_items(first, count, path=LIBRARY, steps=STEPS):
    import ctypes
    spin = ctypes.CDLL(path).work_spin
    spin.restype = ctypes.c_uint64
    spin.argtypes = [ctypes.c_uint64, ctypes.c_int64]
    return [spin(i, steps) for i in range(first, first + count)]


def start(n):
    cluster = distributed.LocalCluster(n_workers=n, threads_per_worker=1, processes=True,
                                       dashboard_address=None, silence_logs=logging.ERROR)
    client = distributed.Client(cluster)
    client.run(lambda: None)
    return cluster, client


def stop(cluster, client):
    client.close()
    cluster.close()


def check_map(client, n, chunk):
    reference = load_work()
    parts = client.gather(client.map(spin_items, range(0, n, chunk), [chunk] * (n // chunk),
                                     pure=False))
    results = [value for part in parts for value in part]
    assert results[:10] == [reference(i, STEPS) for i in range(10)] and len(results) == n


def main():
    report(TOOL, "start", median_start(start, stop), "s")
    cluster, client = start(WORKERS)
    client.submit(increment, 1, pure=False).result()
    report(TOOL, "rtt", 1e6 * median_seconds(
        lambda: client.submit(increment, 1, pure=False).result(), 200), "us")

    n = 2000

    def many():
        results = [client.submit(increment, i, pure=False) for i in range(n)]
        assert client.gather(results) == list(range(1, n + 1))

    report(TOOL, "single_rate", n / median_seconds(many, 3), "tasks/s")
    report(TOOL, "map", n / median_seconds(lambda: check_map(client, n, 1), 3), "items/s")
    n = 20000
    report(TOOL, "map_chunked", n / median_seconds(lambda: check_map(client, n, CHUNK), 3),
           "items/s")
    stop(cluster, client)


if __name__ == "__main__":
    main()
