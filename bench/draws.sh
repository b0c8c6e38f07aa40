#!/bin/sh
# Measures draws of random numbers a second against numpy's, both filling arrays, in turns
# in one run. Both draw the same numbers, which is checked. Speed is never an error.
set -eu

usage()
{
	cat <<'EOF'
usage: bench/draws.sh [--quick] [--build DIR]
  --quick      fewer rounds: shows that it works, not how fast
  --build DIR  release build to use, made if it is not there (build-bench)
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-bench
quick=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=--quick ;;
	--build)
		[ $# -gt 1 ] || { echo "draws.sh: --build needs a value" >&2; exit 2; }
		build=$2
		shift ;;
	-h | --help) usage; exit 0 ;;
	*) echo "draws.sh: what is $1?" >&2; usage >&2; exit 2 ;;
	esac
	shift
done

for python in python3 /usr/bin/python3; do
	"$python" -c 'import numpy' 2>/dev/null && break
	python=
done
if [ -z "$python" ]; then
	echo "draws: skipped, as there is no numpy to compare with (Debian: python3-numpy)"
	exit 0
fi

[ -f "$build/build.ninja" ] || meson setup --buildtype=release "$build" "$root" >&2
ninja -C "$build" xcluster >&2
exec "$python" -B "$root/bench/draws.py" $quick "$build/libxcluster.so.0"
