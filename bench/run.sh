#!/bin/sh
# Measures every row of the design's table of speeds, each against a baseline of
# the same run. Speed is never an error: fails only when something broke.
set -eu

usage()
{
	cat <<'EOF'
usage: bench/run.sh [--quick] [--only ROW]... [--peers [--venv DIR]] [--json FILE] [--build DIR]
  --quick      fewer and smaller rounds: shows that it works, not how fast
  --only ROW   this row (start_4 start_64 rtt single_rate map_10m omp_10us uneven push_1g
               rss_engine rss_controller bytes_per_task crash_requeue seeds reduce gemm_2x1
               gemm_2x2)
  --peers      a second table: ipyparallel, Dask and GNU parallel on the same work
  --venv DIR   python of this virtual environment for the peers
  --json FILE  where the results go (bench/results.json)
  --build DIR  release build to use, made if it is not there (build-bench)
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-bench
json=$root/bench/results.json
quick=
only=
peers=
venv=
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=--quick ;;
	--peers) peers=yes ;;
	--only | --venv | --json | --build)
		[ $# -gt 1 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
		case $1 in
		--only) only="$only $2" ;;
		--venv) venv=$2 ;;
		--json) json=$2 ;;
		--build) build=$2 ;;
		esac
		shift ;;
	-h | --help) usage; exit 0 ;;
	*) echo "run.sh: what is $1?" >&2; usage >&2; exit 2 ;;
	esac
	shift
done
rows=${only:-start_4 start_64 rtt single_rate map_10m omp_10us uneven push_1g rss_engine
	rss_controller bytes_per_task crash_requeue seeds reduce gemm_2x1
	gemm_2x2}

[ -f "$build/build.ninja" ] ||
	meson setup --buildtype=release "$build" "$root" >&2
ninja -C "$build" xcluster bench/bench bench/spin bench/libbenchwork.so >&2
bench=$build/bench/bench
[ -x "$bench" ] || { echo "run.sh: $bench was not built: is OpenMP there?" >&2; exit 1; }
for XCLUSTER_COMMAND in "$build/xcluster" "$build/cmd/xcluster"; do
	[ -x "$XCLUSTER_COMMAND" ] && break
done
export XCLUSTER_COMMAND

lines=$(mktemp)
status=$(mktemp)
trap 'rm -f "$lines" "$status"' EXIT

# Results are kept in their lines; what is printed is made from them.
show_rows()
{
	awk -F '\t' '
	BEGIN { printf "%-15s %10s %-8s %10s %8s  %-8s %s\n", "row", "value", "unit", "baseline",
		"ratio", "bar", "verdict" }
	$1 == "row" { printf "%-15s %10s %-8s %10s %8s  %-8s %s\n", $2, $3, $4, $5, $6, $7, $8 }
	$1 == "note" { printf "                  %s\n", $2 }
	$1 == "broken" { printf "%-15s broken\n", $2 }
	{ fflush() }'
}

write_json()
{
	awk -F '\t' '
	BEGIN { print "[" }
	$1 == "row" {
		printf "%s  {\"name\": \"%s\", \"value\": %s, \"unit\": \"%s\", \"baseline\": %s, \"ratio\": %s}",
			(n++ ? ",\n" : ""), $2, $3, $4, $5, $6
	}
	END { print (n ? "\n" : "") "]" }' "$lines"
}

# N.B. the words of $rows and $quick are to be split.
# shellcheck disable=SC2086
{ "$bench" $quick $rows; echo $? >"$status"; } | tee "$lines" | show_rows
write_json >"$json.new"
mv "$json.new" "$json"
failed=$(cat "$status")

# The first python that has the module; the script itself says what is missing.
python_with()
{
	for python in ${venv:+"$venv/bin/python"} python3 /usr/bin/python3; do
		if "$python" -c "import $1" 2>/dev/null; then
			echo "$python"
			return
		fi
	done
	echo python3
}

peer()
{
	"$(python_with "$2")" -B "$root/bench/peers/$1_peer.py" "$build/bench/libbenchwork.so" \
		"$build/bench/spin" "$steps" 2>"$status" ||
		printf 'skip\t%s\tfailed: %s\n' "$1" "$(tail -n 1 "$status")"
}

# Of the rows above, so far as they ran.
own_figures()
{
	"$bench" $quick peer_map | cat "$lines" - | awk -F '\t' '
	$1 == "row" && $2 ~ /^(start_4|rtt|single_rate|peer_map)$/ {
		sub("start_4", "start", $2)
		sub("peer_map", "map", $2)
		print "peer\txcluster\t" $2 "\t" $3 "\t" $4
	}
	$1 == "broken" { print "skip\txcluster\t" $2 " broke" }'
}

show_peers()
{
	awk -F '\t' '
	BEGIN { printf "%-24s %-12s %12s %s\n", "tool", "work", "value", "unit" }
	$1 == "peer" { printf "%-24s %-12s %12s %s\n", $2, $3, $4, $5 }
	$1 == "skip" { printf "%-24s skipped: %s\n", $2, $3 }
	{ fflush() }'
}

if [ -n "$peers" ]; then
	steps=$("$build/bench/spin" --calibrate 10e-6)
	IPYTHONDIR=$(mktemp -d)
	export IPYTHONDIR
	trap 'rm -rf "$lines" "$status" "$IPYTHONDIR"' EXIT
	echo
	{
		own_figures
		peer ipyparallel ipyparallel
		peer dask distributed
		peer gnu_parallel sys
	} | show_peers
fi
exit "$failed"
