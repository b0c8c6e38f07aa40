#!/bin/sh
# Prints what a task costs each process: messages, wake-ups, system calls (by strace)
# and allocations, for tasks alone, in flight together, and as items of a map.
set -eu

case ${1:-} in
'' | --quick) ;;
*) echo "usage: [BUILD=DIR] bench/cost.sh [--quick]" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$root/build-bench}
command -v strace >/dev/null || { echo "cost.sh: strace is not installed" >&2; exit 1; }
[ -f "$build/build.ninja" ] || meson setup --buildtype=release "$build" "$root" >&2
ninja -C "$build" xcluster bench/cost bench/libbenchcount.so >&2
XCLUSTER_DIR=$(mktemp -d)
trap 'rm -rf "$XCLUSTER_DIR"' EXIT
BENCH_COUNT_FILE=$XCLUSTER_DIR/counts
XCLUSTER_COMMAND=$build/xcluster
export XCLUSTER_DIR BENCH_COUNT_FILE XCLUSTER_COMMAND
unset XCLUSTER XCLUSTER_CONNECTION
truncate -s 65536 "$BENCH_COUNT_FILE"
LD_PRELOAD=$build/bench/libbenchcount.so "$build/bench/cost" ${1:+"$1"}
