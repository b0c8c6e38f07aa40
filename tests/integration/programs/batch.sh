#!/bin/sh
# batch.sh: small batch systems for tests, by the name that it is called by: an invented one
# (zsub, zstat, zdel), and what LSF and HTCondor print, by their documentation. Jobs are
# folders of $FAKE_BATCH; a file `hold` there keeps new ones from starting, and is their
# reason. A file `broken` makes all commands fail.
set -eu
name=$(basename "$0")
cd "$FAKE_BATCH"
echo "$name $*" >>calls
if [ -e broken ]; then
	cat broken >&2
	exit 1
fi

new_job() {
	id=$(($(cat last 2>/dev/null || echo 100) + 1))
	echo "$id" >last
	mkdir "$id"
}

# One process an engine or job, in a session of its own, as a system's daemon would.
begin() {
	[ ! -e hold ] && [ ! -e "$1/begun" ] && [ ! -e "$1/deleted" ] || return 0
	: >"$1/begun"
	begun=0
	for command in "$1"/command*; do
		begun=$((begun + 1))
		(
			setsid sh "$command" >>"$1/log" 2>&1 </dev/null &
			echo $! >>"$1/pids"
			wait $! && echo 0 >>"$1/ends" || echo $? >>"$1/ends"
		) >/dev/null 2>&1 </dev/null &
	done
	while [ "$(wc -l <"$1/pids" 2>/dev/null || echo 0)" -lt $begun ]; do
		sleep .01
	done
}

# PEND, RUN, DONE, EXIT
state() {
	if [ -e "$1/deleted" ]; then
		echo EXIT
	elif [ ! -e "$1/begun" ]; then
		echo PEND
	elif [ "$(wc -l <"$1/ends" 2>/dev/null || echo 0)" -lt "$(wc -l <"$1/pids")" ]; then
		echo RUN
	elif grep -qv '^0$' "$1/ends"; then
		echo EXIT
	else
		echo DONE
	fi
}

delete() {
	: >"$1/deleted"
	[ ! -e "$1/pids" ] || while read -r pid; do kill -TERM "-$pid" 2>/dev/null || :; done <"$1/pids"
}

known() {
	if [ ! -d "$1" ]; then
		echo "$2" >&2
		exit 255
	fi
}

case $name in
zsub)
	new_job
	cp "$1" "$id/command"
	begin "$id"
	echo "accepted as z$id, thank you"
	;;
zstat)
	for id in "$@"; do
		known "${id#z}" "zstat: no such job: $id"
		begin "${id#z}"
		printf 'job %s\n  is %s\n  for %s\n' "$id" "$(state "${id#z}")" \
			"$(cat hold 2>/dev/null || echo -)"
	done
	;;
zdel)
	for id in "$@"; do
		known "${id#z}" "zdel: no such job: $id"
		delete "${id#z}"
	done
	;;
bsub)
	new_job
	cat >"$id/command"
	begin "$id"
	echo "Job <$id> is submitted to default queue <normal>."
	;;
bjobs)
	[ "$1 $2 $3 $4" = "-noheader -a -o jobid stat pend_reason delimiter='|'" ]
	shift 4
	for id in "$@"; do
		known "$id" "Job <$id> is not found"
		begin "$id"
		printf '%s|%s|%s\n' "$id" "$(state "$id")" \
			"$([ "$(state "$id")" = PEND ] && cat hold || echo -)"
	done
	;;
bkill)
	for id in "$@"; do
		known "$id" "Job <$id>: No matching job found"
		delete "$id"
		echo "Job <$id> is being terminated"
	done
	;;
condor_submit)
	[ "$1" = -terse ]
	new_job
	executable=$(sed -n 's/^executable = //p' "$2")
	arguments=$(sed -n 's/^arguments = //p' "$2")
	n=$(sed -n 's/^queue //p' "$2")
	for i in $(seq 0 $((n - 1))); do
		echo "exec '$executable' $arguments" >"$id/command$i"
	done
	begin "$id"
	echo "$id.0 - $id.$((n - 1))"
	;;
condor_q)
	while [ "$1" != -af ]; do
		[ -d "$1" ] || { shift && continue; }
		begin "$1"
		case $(state "$1") in
		PEND) echo "$1 1 undefined" ;;
		RUN) echo "$1 2 undefined" ;;
		esac # what has ended is in the history only
		shift
	done
	;;
condor_rm)
	for id in "$@"; do
		known "$id" "Couldn't find/remove all jobs in cluster $id"
		delete "$id"
		echo "All jobs in cluster $id have been marked for removal"
	done
	;;
*)
	echo "batch.sh: not known as $name" >&2
	exit 2
	;;
esac
