#!/bin/sh
# Measures Cholesky's factor on engines against the same OpenBLAS in a plain program, in turns
# in one run; and one engine with two threads against two with one. Speed is never an error.
set -eu

usage()
{
	cat <<'EOF'
usage: bench/blas.sh [--quick] [-n N] [--rounds R] [--build DIR]
  --quick      n = 1000: shows that it works, not how fast
  -n N         rows and columns (5000)
  --rounds R   of each figure, of which the median counts (7)
  --build DIR  release build to use, made if it is not there (build-bench)
OPENBLAS_CORETYPE of the environment goes to both.
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-bench
n=5000
rounds=7
while [ $# -gt 0 ]; do
	case $1 in
	--quick) n=1000 ;;
	-n | --rounds | --build)
		[ $# -gt 1 ] || { echo "blas.sh: $1 needs a value" >&2; exit 2; }
		case $1 in
		-n) n=$2 ;;
		--rounds) rounds=$2 ;;
		--build) build=$2 ;;
		esac
		shift ;;
	-h | --help) usage; exit 0 ;;
	*) echo "blas.sh: what is $1?" >&2; usage >&2; exit 2 ;;
	esac
	shift
done

[ -f "$build/build.ninja" ] || meson setup --buildtype=release "$build" "$root" >&2
if ! ninja -C "$build" xcluster blas/libxcluster-blas.so bench/blas bench/blas_plain >&2; then
	echo "blas.sh: not built: is OpenBLAS there (Debian: libopenblas-dev)?" >&2
	exit 1
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
XCLUSTER_COMMAND=$build/xcluster XCLUSTER_DIR=$dir \
	"$build/bench/blas" "$build/bench/blas_plain" "$n" "$rounds"
