#!/bin/sh
# Clusters of many engines on this machine: real ones, and ones that are sockets alone.
# Speed is never an error: fails only when something broke.
set -eu

usage()
{
	cat <<'EOF'
usage: bench/scale.sh [--build DIR] [real N | real-tcp N | sim N | sim-tcp N | link]...
  real N      N engine processes by the unix socket: joining, idle, a task, a map
  real-tcp N  the same by TCP with CURVE, in four agents (as root: hosts are UTS namespaces)
  sim N       N simulated engines, up to 2,500 a process, by the unix socket
  sim-tcp N   the same by TCP with CURVE
  link        what CURVE costs: two engines by unix socket and by TCP, in turn (as root)
Without any: all of docs/scale.md.
EOF
}

root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build-bench
while [ $# -gt 0 ]; do
	case $1 in
	--build)
		[ $# -gt 1 ] || { echo "scale.sh: --build needs a value" >&2; exit 2; }
		build=$2
		shift 2 ;;
	-h | --help) usage; exit 0 ;;
	*) break ;;
	esac
done
[ $# -gt 0 ] || set -- real 1 real 10 real 100 real 1000 real-tcp 1000 sim 1000 sim 10000 \
	sim-tcp 1000 link
[ -f "$build/build.ninja" ] || meson setup --buildtype=release "$build" "$root" >&2
ninja -C "$build" xcluster bench/scale bench/sim_engines >&2
x=$build/xcluster
scale=$build/bench/scale
XCLUSTER_DIR=$(mktemp -d)
export XCLUSTER_DIR
own=
cleanup()
{
	for pid in $own; do
		kill "$pid" 2>/dev/null || :
	done
	rm -rf "$XCLUSTER_DIR"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

now() { date +%s%N; }

# N.B. what the shell starts in the background ends by its pid alone.
controller()
{
	id=$1
	shift
	"$x" controller --cluster-id="$id" "$@" 2>"$XCLUSTER_DIR/$id.log" &
	controller=$!
	own="$own $controller"
	client=$XCLUSTER_DIR/$id/connection.json
	engines=$XCLUSTER_DIR/$id/engines.json
	i=0
	until [ -f "$client" ]; do
		i=$((i + 1))
		[ $i -lt 100 ] || { cat "$XCLUSTER_DIR/$id.log" >&2; exit 1; }
		sleep 0.05
	done
}

finish()
{
	"$x" stop --cluster-id="$id" >/dev/null
	wait "$controller" || :
	# Those that are left have ended with it, or end now.
	for pid in $own; do
		kill "$pid" 2>/dev/null || :
	done
	own=
}

# Of all processes whose parents are our agents: mean RSS and PSS in MB.
show_engines()
{
	"$x" status --cluster-id="$id" --json |
		grep -o '"pid": *[0-9]*, *"[^}]*"state": *"up"\|"pid": *[0-9]*' |
		grep -o '[0-9]*' | head -n 40 | while read -r pid; do
		[ ! -r "/proc/$pid/smaps_rollup" ] ||
			awk '/^Rss/ { r = $2 } /^Pss:/ { p = $2 }
				END { print r, p }' "/proc/$pid/smaps_rollup"
	done | awk '{ r += $1; p += $2 }
		END { if (NR) printf "memory\t%.1f\t%.1f\n", r / NR / 1000, p / NR / 1000 }'
}

show()
{
	awk -F '\t' -v name="$1" '
	$1 == "joined" { printf "%-10s %6d engines up after %s s\n", name, $2, $3 }
	$1 == "idle" { printf "%-10s %6d idle: controller %s MB, %s %% of a core\n", name, $2, $3, $4 }
	$1 == "memory" { printf "%-10s        a process of it: RSS %s MB, PSS %s MB\n", name, $2, $3 }
	$1 == "cost" { printf "%-10s %6d a task alone %s us; %s/s of one item each, %s us of the controller; 1,000,000 items in %s s; one on each engine %s ms\n", name, $2, $3, $4, $5, $6, $7 }
	$1 == "link" { printf "%-10s task %s us, %s/s of one item each, bulk %s MB/s\n", $2, $3, $4, $5 }
	{ fflush() }'
}

measure()
{
	{
		"$scale" joined "$client" "$2" "$begin"
		"$scale" idle "$client" "$2" "$controller"
		[ "${1#real}" = "$1" ] || show_engines
		"$scale" cost "$client" "$2" "$controller"
	} | show "$1"
}

agent()
{
	"$x" engines -n "$1" --foreground --connection="$2" 2>>"$XCLUSTER_DIR/agents.log" &
	own="$own $!"
}

# An agent that takes this for another host, and so comes over the network.
agent_elsewhere()
{
	unshare -u sh -c 'hostname "$1"; shift; exec "$@"' - "$3" "$x" engines -n "$1" \
		--foreground --connection="$2" 2>>"$XCLUSTER_DIR/agents.log" &
	own="$own $!"
}

simulate()
{
	left=$1
	while [ "$left" -gt 0 ]; do
		n=$((left < 2500 ? left : 2500))
		# shellcheck disable=SC2086 # nothing, or a word
		"$build/bench/sim_engines" "$engines" "$n" $2 &
		own="$own $!"
		left=$((left - n))
	done
}

link()
{
	controller a
	agent 2 "$client"
	ipc=$client first=$controller
	controller b --ip=127.0.0.1
	agent_elsewhere 2 "$engines" bench-other
	for _ in 1 2 3; do
		"$scale" link "$ipc" 2 ipc
		unshare -u sh -c 'hostname bench-third; exec "$@"' - "$scale" link "$client" 2 curve
	done | show link
	"$x" stop --cluster-id=a >/dev/null
	wait "$first" || :
	finish
}

while [ $# -gt 0 ]; do
	mode=$1
	case $mode in
	link)
		link
		shift
		continue ;;
	real | sim | real-tcp | sim-tcp) ;;
	*) echo "scale.sh: what is $mode?" >&2; usage >&2; exit 2 ;;
	esac
	[ $# -gt 1 ] || { echo "scale.sh: $mode needs a number" >&2; exit 2; }
	case $mode in
	*-tcp) controller "c$2" --ip=127.0.0.1 ;;
	*) controller "c$2" ;;
	esac
	begin=$(now)
	case $mode in
	real) agent "$2" "$client" ;;
	real-tcp)
		for i in 1 2 3 4; do
			agent_elsewhere "$(($2 / 4))" "$engines" "bench-$i"
		done ;;
	sim) simulate "$2" "" ;;
	sim-tcp) simulate "$2" tcp ;;
	esac
	measure "$mode" "$2"
	finish
	shift 2
done
