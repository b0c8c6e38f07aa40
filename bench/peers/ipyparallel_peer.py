"""ipyparallel on the work of bench/: start, rtt, single rate, maps of 10 us items."""
import logging
import sys

try:
    import ipyparallel
except ImportError as error:
    print(f"skip\tipyparallel\t{error}; Debian: python3-ipyparallel, or run.sh --venv DIR")
    sys.exit(0)

from common import LIBRARY, STEPS, WORKERS, load_work, median_seconds, median_start, report, seconds

TOOL = f"ipyparallel {ipyparallel.__version__}"
CHUNK = 500


def nothing():
    return None


def increment(value):
    return value + 1


def spin_item(index):
    return spin(index, steps)  # globals of the engine, see `prepare`


def start(n):
    cluster = ipyparallel.Cluster(n=n, log_level=logging.ERROR)
    client = cluster.start_and_connect_sync()
    client[:].apply_sync(nothing)
    return cluster, client


def stop(cluster, client):
    client.close()
    cluster.stop_cluster_sync()


def prepare(client):
    client[:].execute(
        "import ctypes\n"
        f"spin = ctypes.CDLL({LIBRARY!r}).work_spin\n"
        "spin.restype = ctypes.c_uint64\n"
        "spin.argtypes = [ctypes.c_uint64, ctypes.c_int64]\n"
        f"steps = {STEPS}\n", block=True)


def check_map(view, n, chunk):
    reference = load_work()
    results = view.map_sync(spin_item, range(n), chunksize=chunk)
    assert list(results[:10]) == [reference(i, STEPS) for i in range(10)] and len(results) == n


def main():
    report(TOOL, "start", median_start(start, stop), "s")
    cluster, client = start(WORKERS)
    view = client.load_balanced_view()
    view.apply_sync(increment, 1)
    report(TOOL, "rtt", 1e6 * median_seconds(lambda: view.apply_sync(increment, 1), 200), "us")

    n = 1000

    def many():
        results = [view.apply_async(increment, i) for i in range(n)]
        assert [r.get() for r in results] == list(range(1, n + 1))

    report(TOOL, "single_rate", n / median_seconds(many, 3), "tasks/s")
    prepare(client)
    report(TOOL, "map", n / seconds(lambda: check_map(view, n, 1)), "items/s")
    n = 20000
    report(TOOL, "map_chunked", n / median_seconds(lambda: check_map(view, n, CHUNK), 3), "items/s")
    stop(cluster, client)


if __name__ == "__main__":
    main()
