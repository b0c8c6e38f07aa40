/* options.c: every subcommand and option of xcluster with wrong values: exit status, a
 * text that names the option and says what it takes, nothing started, nothing left.
 * An option without a row fails the test. */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

#define USAGE	    2
#define FAILED	    1
#define NOT_RUNNING 11

#define MANY "99999999999999999999"
#define LONG "0123456789012345678901234567890123456789012345678901234567890123" /* 64 */

/* No cluster runs. Words stand between blanks; '' is an empty one. */
static const struct row {
	const char *command, *words;
	int status;
	const char *part; /* of what it says */
} rows[] = {
	{ "bogus", "", USAGE, "\"bogus\"" },
	{ "--bogus", "", USAGE, "\"--bogus\"" },
	{ "help", "bogus", USAGE, "\"bogus\"" },
	{ "version", "extra", USAGE, "Too many arguments" },

	{ "start", "extra", USAGE, "\"extra\"" },
	{ "start", "--bogus", USAGE, "--bogus" },
	{ "start", "-n", USAGE, "requires an argument" },
	{ "start", "-n 0", USAGE, "-n must be a number from 1 to 4096" },
	{ "start", "-n -1", USAGE, "-n must" },
	{ "start", "-n 4x", USAGE, "\"4x\"" },
	{ "start", "-n ''", USAGE, "-n must" },
	{ "start", "-n 1.5", USAGE, "\"1.5\"" },
	{ "start", "-n 4097", USAGE, "4096" },
	{ "start", "-n " MANY, USAGE, MANY },
	{ "start", "--threads-per-engine 0", USAGE, "--threads-per-engine must" },
	{ "start", "--threads-per-engine -2", USAGE, "--threads-per-engine must" },
	{ "start", "--threads-per-engine two", USAGE, "\"two\"" },
	{ "start", "--threads-per-engine " MANY, USAGE, MANY },
	{ "start", "--store-limit 0", USAGE, "--store-limit must" },
	{ "start", "--store-limit -1G", USAGE, "\"-1G\"" },
	{ "start", "--store-limit 5Q", USAGE, "K, M, G" },
	{ "start", "--store-limit nan", USAGE, "\"nan\"" },
	{ "start", "--store-limit inf", USAGE, "\"inf\"" },
	{ "start", "--store-limit " MANY "T", USAGE, MANY },
	{ "start", "--engine-timeout 3x", USAGE, "--engine-timeout must" },
	{ "start", "--engine-timeout -1", USAGE, "\"-1\"" },
	{ "start", "--engine-timeout nan", USAGE, "seconds" },
	{ "start", "--engine-timeout 1e300", USAGE, "\"1e300\"" },
	{ "start", "--heartbeat-timeout soon", USAGE, "--heartbeat-timeout must" },
	{ "start", "--heartbeat-timeout -5", USAGE, "\"-5\"" },
	{ "start", "--heartbeat-timeout ''", USAGE, "--heartbeat-timeout must" },
	{ "start", "--history -1", USAGE, "--history must be a number from 0 to 1000000" },
	{ "start", "--history ten", USAGE, "\"ten\"" },
	{ "start", "--history ''", USAGE, "--history must" },
	{ "start", "--history " MANY, USAGE, MANY },
	{ "start", "--kept-limit 0", USAGE, "--kept-limit must be a size" },
	{ "start", "--kept-limit -1G", USAGE, "\"-1G\"" },
	{ "start", "--kept-limit 1.5X", USAGE, "K, M, G" },
	{ "start", "--kept-limit nan", USAGE, "\"nan\"" },
	{ "start", "--kept-limit " MANY "T", USAGE, MANY },
	{ "start", "--lifeline 4x", USAGE, "--lifeline must" },
	{ "start", "--lifeline 777", USAGE, "777 is no open descriptor" },
	{ "start", "--cluster-id ../x", USAGE, "--cluster-id: \"../x\"" },
	{ "start", "--cluster-id ''", USAGE, "--cluster-id: \"\"" },
	{ "start", "--cluster-id -x", USAGE, "--cluster-id" },
	{ "start", "--cluster-id .", USAGE, "--cluster-id" },
	{ "start", "--cluster-id " LONG, USAGE, "1 to 63" },
	{ "start", "--bind=4", USAGE, "--bind" },
	{ "start", "--json=3", USAGE, "--json" },
	{ "start", "--foreground=yes", USAGE, "--foreground" },
	{ "start", "--hosts ''", USAGE, "a host's name is missing" },
	{ "start", "--hosts node1,,node2", USAGE, "name is missing" },
	{ "start", "--hosts node1:0", USAGE, "from 1 to 4096" },
	{ "start", "--hosts node1:x", USAGE, "from 1 to 4096" },
	{ "start", "--hosts node1:" MANY, USAGE, "4096" },
	{ "start", "--hosts -oProxyCommand=x", USAGE, "does not begin with '-'" },
	{ "start", "--hosts x@-y", USAGE, "does not begin with '-'" },
	{ "start", "--hosts $(x)", USAGE, "letters, digits" },
	{ "start", "--hosts ::1", USAGE, "in brackets" },
	{ "start", "--hostfile /nonexistent", USAGE, "/nonexistent: No such file" },
	{ "start", "--hostfile /tmp", USAGE, "Is a directory" },
	{ "start", "--hostfile /dev/null", USAGE, "names no host" },
	{ "start", "--hostfile ''", USAGE, "cannot read the host file" },
	{ "start", "--require some --hosts a", USAGE, "--require must be a number" },
	{ "start", "--require 0 --hosts a", USAGE, "--require must" },
	{ "start", "--require 2 --hosts a", USAGE, "--require 2: there are 1 hosts only" },
	{ "start", "--require 1", USAGE, "go with --hosts" },
	{ "start", "--tunnel", USAGE, "go with --hosts" },
	{ "start", "--tunnel=1 --hosts a", USAGE, "--tunnel" },
	{ "start", "--deploy", USAGE, "go with --hosts" },
	{ "start", "--deploy=1 --hosts a", USAGE, "--deploy" },
	{ "start", "--remote-command '' --hosts a", USAGE, "--remote-command: it is empty" },
	{ "start", "--remote-command x", USAGE, "go with --hosts" },
	{ "start", "--ssh '' --hosts a", USAGE, "--ssh: it is empty" },
	{ "start", "--ssh ssh", USAGE, "go with --hosts" },
	{ "start", "--launcher ''", USAGE, "--launcher: \"\" is no name of a launcher" },
	{ "start", "--launcher a/b -n 1", USAGE, "\"a/b\"" },
	{ "start", "--launcher absent -n 1", FAILED, "no launcher \"absent\": there are" },
	{ "start", "--partition ''", USAGE, "--partition must be a word" },
	{ "start", "--partition p", USAGE, "go with --launcher only" },
	{ "start", "--account ''", USAGE, "--account must be a word" },
	{ "start", "--qos ''", USAGE, "--qos must be a word" },
	{ "start", "--time soon", USAGE, "--time must be minutes" },
	{ "start", "--time 0", USAGE, "\"0\"" },
	{ "start", "--time -5", USAGE, "\"-5\"" },
	{ "start", "--time " MANY, USAGE, MANY },
	{ "start", "--launcher-option ''", USAGE, "--launcher-option must be one line" },
	{ "start", "--launcher-option x", USAGE, "go with --launcher only" },
	{ "start", "--script-template /nonexistent", USAGE, "/nonexistent" },
	{ "start", "--script-template ''", USAGE, "--script-template" },
	{ "start", "--dry-run", USAGE, "go with --launcher only" },
	{ "start", "--dry-run=1", USAGE, "--dry-run" },
	{ "start", "--jobs 0", USAGE, "--jobs must be a number from 1" },
	{ "start", "--jobs x", USAGE, "\"x\"" },
	{ "start", "--min 0", USAGE, "--min must be a number from 1" },
	{ "start", "--min 2", USAGE, "--min goes with --max" },
	{ "start", "--max x", USAGE, "--max must" },
	{ "start", "--min 3 --max 2", USAGE, "--min 3 is above --max 2" },
	{ "start", "--idle-timeout nan", USAGE, "--idle-timeout must" },
	{ "start", "--idle-timeout -1", USAGE, "\"-1\"" },
	{ "start", "--no-wait", USAGE, "go with --launcher only" },
	{ "start", "--no-wait=1", USAGE, "--no-wait" },

	{ "stop", "extra", USAGE, "\"extra\"" },
	{ "stop", "", NOT_RUNNING, "\"default\" is not running" },
	{ "stop", "--cluster-id a/b", USAGE, "--cluster-id: \"a/b\"" },
	{ "stop", "--cluster-id absent", NOT_RUNNING, "\"absent\"" },
	{ "stop", "--all=1", USAGE, "--all" },
	{ "stop", "--all --cluster-id x", USAGE, "--all" },
	{ "stop", "--timeout nan", USAGE, "--timeout must" },
	{ "stop", "--timeout -1", USAGE, "\"-1\"" },
	{ "stop", "--timeout 1s", USAGE, "\"1s\"" },
	{ "stop", "--engines ''", USAGE, "--engines: \"\" is no list of engines" },
	{ "stop", "--engines x", USAGE, "0,2-5" },
	{ "stop", "--engines 1,", USAGE, "\"1,\"" },
	{ "stop", "--engines 1-", USAGE, "\"1-\"" },
	{ "stop", "--engines -1", USAGE, "\"-1\"" },
	{ "stop", "--engines 5-2", USAGE, "5-2 goes down" },
	{ "stop", "--engines 1,0-3", USAGE, "engine 1 is named twice" },
	{ "stop", "--engines 0-9999", USAGE, "more than 8192" },
	{ "stop", "--engines " MANY, USAGE, MANY },
	{ "stop", "--engines 0", NOT_RUNNING, "no cluster \"default\"" },
	{ "stop", "--engines 0 --all", USAGE, "--all" },
	{ "stop", "--engines 0 --timeout 3", USAGE, "--timeout" },
	{ "stop", "--engines 0 --cluster-id absent", NOT_RUNNING, "\"absent\"" },
	{ "stop", "--now", USAGE, "--now goes with --engines" },
	{ "stop", "--now=1 --engines 0", USAGE, "--now" },

	{ "status", "extra", USAGE, "\"extra\"" },
	{ "status", "", NOT_RUNNING, "xcluster start" },
	{ "status", "--cluster-id ?", USAGE, "--cluster-id: \"?\"" },
	{ "status", "--cluster-id absent", NOT_RUNNING, "\"absent\"" },
	{ "status", "--json=1", USAGE, "--json" },

	{ "list", "extra", USAGE, "\"extra\"" },
	{ "list", "--json=1", USAGE, "--json" },

	{ "clean", "extra", USAGE, "\"extra\"" },
	{ "clean", "--cluster-id ..", USAGE, "--cluster-id: \"..\"" },
	{ "clean", "--force=1", USAGE, "--force" },
	{ "clean", "--cache=1", USAGE, "--cache" },

	{ "jobs", "extra", USAGE, "\"extra\"" },
	{ "jobs", "", NOT_RUNNING, "xcluster start" },
	{ "jobs", "--cluster-id @", USAGE, "--cluster-id: \"@\"" },
	{ "jobs", "--cluster-id absent", NOT_RUNNING, "\"absent\"" },
	{ "jobs", "--label", USAGE, "requires an argument" },
	{ "jobs", "--label " LONG LONG LONG LONG, USAGE, "--label must" },
	{ "jobs", "--state over", USAGE, "--state must be queued, running" },
	{ "jobs", "--state ''", USAGE, "--state must" },
	{ "jobs", "--since -5", USAGE, "--since must" },
	{ "jobs", "--since nan", USAGE, "\"nan\"" },
	{ "jobs", "--since 1e300", USAGE, "\"1e300\"" },
	{ "jobs", "--since 2026-13-01", USAGE, "2026-11-23T15:04:05" },
	{ "jobs", "--since yesterday", USAGE, "\"yesterday\"" },
	{ "jobs", "--json=1", USAGE, "--json" },

	{ "cancel", "", USAGE, "xcluster jobs lists them" },
	{ "cancel", "0123456789abcdef-1", NOT_RUNNING, "xcluster start" },
	{ "cancel", "--all", USAGE, "--all" },
	{ "cancel", "--running", USAGE, "no id" },
	{ "cancel", "--running=1 x", USAGE, "--running" },
	{ "cancel", "--cluster-id a/b x", USAGE, "--cluster-id: \"a/b\"" },
	{ "cancel", "--cluster-id absent x", NOT_RUNNING, "\"absent\"" },

	{ "purge", "", USAGE, "no id of a job" },
	{ "purge", "--all", NOT_RUNNING, "xcluster start" },
	{ "purge", "--all=1", USAGE, "--all" },
	{ "purge", "--all x", USAGE, "--all and ids of jobs exclude each other" },
	{ "purge", "--cluster-id a/b x", USAGE, "--cluster-id: \"a/b\"" },
	{ "purge", "--cluster-id absent x", NOT_RUNNING, "\"absent\"" },

	{ "exec", "", USAGE, "give the statements, or --file" },
	{ "exec", "; ;", USAGE, "quote the statements" },
	{ "exec", ";", NOT_RUNNING, "xcluster start" },
	{ "exec", "--cluster-id absent ;", NOT_RUNNING, "\"absent\"" },
	{ "exec", "--cluster-id + ;", USAGE, "--cluster-id: \"+\"" },
	{ "exec", "--engines x ;", USAGE, "--engines: \"x\"" },
	{ "exec", "--engines 3-1 ;", USAGE, "goes down" },
	{ "exec", "--cflags", USAGE, "requires an argument" },
	{ "exec", "--compiler", USAGE, "requires an argument" },
	{ "exec", "--compiler '' ;", USAGE, "--compiler" },
	{ "exec", "--file /tmp ;", USAGE, "or --file" },
	{ "exec", "--file /nonexistent/x.c", FAILED, "/nonexistent/x.c" },
	{ "exec", "--file /tmp", FAILED, "/tmp: Is a directory" },
	{ "exec", "--file ''", FAILED, "cannot read" },

	{ "threads", "", USAGE, "xcluster threads 2" },
	{ "threads", "2", NOT_RUNNING, "xcluster start" },
	{ "threads", "2 3", USAGE, "\"3\" is not expected" },
	{ "threads", "0", USAGE, "a number from 1 to 65536" },
	{ "threads", "two", USAGE, "\"two\"" },
	{ "threads", "''", USAGE, "must be a number" },
	{ "threads", MANY, USAGE, MANY },
	{ "threads", "--engines 2- 1", USAGE, "--engines: \"2-\"" },
	{ "threads", "--cluster-id absent 1", NOT_RUNNING, "\"absent\"" },
	{ "blas", "", USAGE, "which operation" },
	{ "blas", "qr", USAGE, "no operation \"qr\"" },
	{ "blas", "svd gemm", USAGE, "one operation at a time" },
	{ "blas", "svd", NOT_RUNNING, "xcluster start" },
	{ "blas", "svd --cluster-id absent", NOT_RUNNING, "\"absent\"" },
	{ "blas", "svd --cluster-id +", USAGE, "--cluster-id: \"+\"" },
	{ "blas", "svd -n 0", USAGE, "-n must be a number from 1" },
	{ "blas", "svd -n 1000001", USAGE, "-n must" },
	{ "blas", "svd -m -1", USAGE, "-m must" },
	{ "blas", "svd -k x", USAGE, "-k must" },
	{ "blas", "svd -k 2", USAGE, "-k: svd has none" },
	{ "blas", "cholesky -n 9 -m 2", USAGE, "-m: the matrix of cholesky is square" },
	{ "blas", "solve -m 2 -k 2", USAGE, "-m: the matrix of solve is square" },
	{ "blas", "svd --threads 0", USAGE, "--threads must" },
	{ "blas", "svd --threads 1025", USAGE, "--threads must" },
	{ "blas", "svd --seed -1", USAGE, "--seed must" },
	{ "blas", "svd --seed 1.5", USAGE, "\"1.5\"" },
	{ "blas", "svd --seed 18446744073709551616", USAGE, "2^64" },
	{ "blas", "svd --repeat 0", USAGE, "--repeat must" },
	{ "blas", "svd --engines x", USAGE, "--engines: \"x\"" },
	{ "blas", "svd --engines 0 --all", USAGE, "do not go together" },
	{ "blas", "svd --all=1", USAGE, "--all" },
	{ "blas", "svd --json=1", USAGE, "--json" },

	{ "signal", "", USAGE, "xcluster signal USR1" },
	{ "signal", "USR1", NOT_RUNNING, "xcluster start" },
	{ "signal", "USR1 USR2", USAGE, "\"USR2\" is not expected" },
	{ "signal", "NONE", USAGE, "no signal \"NONE\"" },
	{ "signal", "SIG", USAGE, "\"SIG\"" },
	{ "signal", "''", USAGE, "\"\"" },
	{ "signal", "0", USAGE, "\"0\"" },
	{ "signal", "65", USAGE, "kill -l" },
	{ "signal", "9x", USAGE, "\"9x\"" },
	{ "signal", MANY, USAGE, MANY },
	{ "signal", "--engines 2- USR1", USAGE, "--engines: \"2-\"" },
	{ "signal", "--engines 1,1 USR1", USAGE, "engine 1 is named twice" },
	{ "signal", "--cluster-id absent 9", NOT_RUNNING, "\"absent\"" },

	{ "interrupt", "extra", USAGE, "\"extra\"" },
	{ "interrupt", "", NOT_RUNNING, "xcluster start" },
	{ "interrupt", "--engines 0,,1", USAGE, "\"0,,1\"" },
	{ "interrupt", "--cluster-id absent", NOT_RUNNING, "\"absent\"" },

	{ "logs", "extra", USAGE, "\"extra\"" },
	{ "logs", "", NOT_RUNNING, "\"default\"" },
	{ "logs", "--cluster-id *", USAGE, "--cluster-id: \"*\"" },
	{ "logs", "--cluster-id absent", NOT_RUNNING, "\"absent\"" },
	{ "logs", "--engine -1", USAGE, "--engine must" },
	{ "logs", "--engine x", USAGE, "\"x\"" },
	{ "logs", "--engine " MANY, USAGE, MANY },
	{ "logs", "--lines 1e3", USAGE, "--lines must" },
	{ "logs", "--lines -1", USAGE, "\"-1\"" },
	{ "logs", "--lines " MANY, USAGE, MANY },
	{ "logs", "--follow=1", USAGE, "--follow" },

	{ "engines", "extra", USAGE, "\"extra\"" },
	{ "engines", "-n 1", NOT_RUNNING, "xcluster start" },
	{ "engines", "-n 4x", USAGE, "-n must" },
	{ "engines", "-n 0", USAGE, "-n must" },
	{ "engines", "--threads-per-engine x", USAGE, "--threads-per-engine must" },
	{ "engines", "--store-limit x", USAGE, "--store-limit must" },
	{ "engines", "--engine-timeout x", USAGE, "--engine-timeout must" },
	{ "engines", "--cluster-id !", USAGE, "--cluster-id: \"!\"" },
	{ "engines", "--connection /nonexistent", NOT_RUNNING, "/nonexistent" },
	{ "engines", "--connection /proc/self/status", FAILED, "/proc/self/status" },
	{ "engines", "--connection ''", USAGE, "--connection" },
	{ "engines", "--connection /nonexistent --cluster-id x", USAGE, "--connection" },
	{ "engines", "--bind=1", USAGE, "--bind" },
	{ "engines", "--foreground=1", USAGE, "--foreground" },
	{ "engines", "--hosts a,", USAGE, "name is missing" },
	{ "engines", "--hosts a --foreground", USAGE, "neither --foreground nor" },
	{ "engines", "--hosts a --connection x", USAGE, "neither --foreground nor --connection" },
	{ "engines", "--hosts a", NOT_RUNNING, "xcluster start" },
	{ "engines", "--hostfile /nonexistent", USAGE, "/nonexistent" },
	{ "engines", "--require 0 --hosts a", USAGE, "--require must" },
	{ "engines", "--tunnel", USAGE, "go with --hosts" },
	{ "engines", "--deploy", USAGE, "go with --hosts" },
	{ "engines", "--remote-command '' --hosts a", USAGE, "--remote-command" },
	{ "engines", "--ssh '' --hosts a", USAGE, "--ssh" },
	{ "engines", "--stay", USAGE, "--stay goes with --connection=-" },
	{ "engines", "--stay --connection /x", USAGE, "--stay" },
	{ "engines", "--controller-timeout x", USAGE, "--controller-timeout must" },
	{ "engines", "--wait-for-controller x", USAGE, "--wait-for-controller must" },
	{ "engines", "--wait-for-controller -1", USAGE, "\"-1\"" },
	{ "engines", "--walltime 1h", USAGE, "--walltime must" },
	{ "engines", "--ends-at soon", USAGE, "--ends-at must be a Unix time" },
	{ "engines", "--ends-at 0", USAGE, "\"0\"" },
	{ "engines", "--ends-at " MANY, USAGE, MANY },
	{ "engines", "--drain -3", USAGE, "--drain must" },
	{ "engines", "--launch-info " LONG LONG LONG LONG, USAGE, "--launch-info must" },
	{ "engines", "--no-ranks=1", USAGE, "--no-ranks" },
	{ "engines", "--foreground --wait-for-controller 0.1", NOT_RUNNING, "waited 0.1 s" },

	{ "scale", "", USAGE, "how many engines?" },
	{ "scale", "x", USAGE, "the number of engines must be a number from 0" },
	{ "scale", "2 3", USAGE, "\"3\" is not expected" },
	{ "scale", "2", NOT_RUNNING, "xcluster start" },
	{ "scale", "--cluster-id a/b 2", USAGE, "--cluster-id: \"a/b\"" },
	{ "scale", "--engine-timeout x 2", USAGE, "--engine-timeout must" },
	{ "scale", "--no-wait=1 2", USAGE, "--no-wait" },

	{ "wait", "extra", USAGE, "\"extra\"" },
	{ "wait", "-n -1", USAGE, "-n must be a number from 0" },
	{ "wait", "-n x", USAGE, "\"x\"" },
	{ "wait", "--timeout x", USAGE, "--timeout must" },
	{ "wait", "--timeout 0.1", NOT_RUNNING, "xcluster start" },
	{ "wait", "--cluster-id a/b", USAGE, "--cluster-id: \"a/b\"" },

	{ "supervise", "extra", USAGE, "\"extra\"" },
	{ "supervise", "--cluster-id a/b", USAGE, "--cluster-id: \"a/b\"" },
	{ "supervise", "--ready-fd x", USAGE, "--ready-fd must" },

	{ "start", "--ip ''", USAGE, "--ip: the name is empty" },
	{ "start", "--ip no-such-thing.invalid", USAGE, "no-such-thing.invalid" },
	{ "start", "--port x --ip 127.0.0.1", USAGE, "--port must be a number" },
	{ "start", "--port 65536 --ip 127.0.0.1", USAGE, "65535" },
	{ "start", "--port 9-8 --ip 127.0.0.1", USAGE, "9-8 is no range" },
	{ "start", "--port 0-8 --ip 127.0.0.1", USAGE, "0-8 is no range" },
	{ "start", "--port 5000", USAGE, "--port goes with --ip" },
	{ "start", "--location '' --ip 127.0.0.1", USAGE, "--location: the name is empty" },
	{ "start", "--location a/b --ip 127.0.0.1", USAGE, "\"a/b\" is no NAME" },
	{ "start", "--location x", USAGE, "--location goes with --ip" },
	{ "start", "--reuse=1 --ip 127.0.0.1", USAGE, "--reuse" },
	{ "start", "--reuse", USAGE, "--reuse goes with --ip" },
	{ "controller", "--ip ''", USAGE, "--ip: the name is empty" },
	{ "controller", "--ip no-such-thing.invalid", USAGE, "no-such-thing.invalid" },
	{ "controller", "--port x --ip 127.0.0.1", USAGE, "--port must be a number" },
	{ "controller", "--port 65536 --ip 127.0.0.1", USAGE, "65535" },
	{ "controller", "--port 9-8 --ip 127.0.0.1", USAGE, "9-8 is no range" },
	{ "controller", "--port 0-8 --ip 127.0.0.1", USAGE, "0-8 is no range" },
	{ "controller", "--port 5000", USAGE, "--port goes with --ip" },
	{ "controller", "--location '' --ip 127.0.0.1", USAGE, "--location: the name is empty" },
	{ "controller", "--location a/b --ip 127.0.0.1", USAGE, "\"a/b\" is no NAME" },
	{ "controller", "--location x", USAGE, "--location goes with --ip" },
	{ "controller", "--reuse=1 --ip 127.0.0.1", USAGE, "--reuse" },
	{ "controller", "--reuse", USAGE, "--reuse goes with --ip" },

	{ "controller", "extra", USAGE, "\"extra\"" },
	{ "controller", "--cluster-id %", USAGE, "--cluster-id: \"%\"" },
	{ "controller", "--heartbeat-timeout x", USAGE, "--heartbeat-timeout must" },
	{ "controller", "--history x", USAGE, "--history must" },
	{ "controller", "--history 1000001", USAGE, "1000000" },
	{ "controller", "--kept-limit x", USAGE, "--kept-limit must" },
	{ "controller", "--kept-limit 0", USAGE, "\"0\"" },
	{ "controller", "--lifeline 777", USAGE, "--lifeline: 777" },
	{ "controller", "--lifeline x", USAGE, "--lifeline must" },
	{ "controller", "--ready-fd 777", USAGE, "--ready-fd: 777" },
	{ "controller", "--ready-fd x", USAGE, "--ready-fd must" },

	{ "engine", "", USAGE, "xcluster engines" },
	{ "engine", "extra --agent-fd 0", USAGE, "Too many arguments" },
	{ "engine", "--agent-fd 777", USAGE, "--agent-fd: 777" },
	{ "engine", "--agent-fd x", USAGE, "--agent-fd must" },
	{ "engine", "--agent-fd 0", FAILED, "agent" },
};
#define ROWS ((int)(sizeof rows / sizeof rows[0]))

static struct output output;

/* Cuts words apart; `text` is changed. */
static int split(char *text, const char **words, int max)
{
	char *rest = NULL, *word;
	int n = 0;

	for (word = strtok_r(text, " ", &rest); word && n < max; word = strtok_r(NULL, " ", &rest))
		words[n++] = strcmp(word, "''") == 0 ? "" : word;
	return n;
}

static void assert_untouched(void)
{
	DIR *dir = opendir(getenv("XCLUSTER_DIR"));
	struct dirent *entry;
	pid_t pid;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		ck_assert_msg(entry->d_name[0] == '.', "it has left %s", entry->d_name);
	closedir(dir);
	ck_assert_msg(cluster_processes(&pid, 1) == 0, "it has left a process");
}

START_TEST(wrong_value)
{
	const struct row *row = &rows[_i];
	const char *argv[16] = { xcluster_command(), row->command };
	char words[512];

	snprintf(words, sizeof words, "%s", row->words);
	split(words, argv + 2, 13);
	run_command(&output, argv);
	ck_assert_msg(output.status == row->status, "xcluster %s %s: status %d: %s", row->command,
		      row->words, output.status, output.err);
	ck_assert_msg(strstr(output.err, row->part) != NULL, "xcluster %s %s: no \"%s\" in: %s",
		      row->command, row->words, row->part, output.err);
	ck_assert_msg(row->status != USAGE || strstr(output.err, "--help"),
		      "xcluster %s %s: where to look is not said: %s", row->command, row->words,
		      output.err);
	ck_assert_str_eq(output.out, "");
	assert_untouched();
}
END_TEST

START_TEST(wrong_directory)
{
	static const struct {
		const char *variable, *part;
	} places[] = {
		{ "XCLUSTER_DIR=/proc/nonexistent", "/proc/nonexistent" },
		{ "XCLUSTER_DIR=/dev/null/x", "/dev/null" },
		{ "XCLUSTER_DIR=/tmp/" LONG LONG, "XCLUSTER_DIR" }, /* no room for sockets */
	};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		RUN(&output, "env", places[i].variable, xcluster_command(), "start", "-n", "1");
		ck_assert_msg(output.status == FAILED && strstr(output.err, places[i].part),
			      "%s: status %d: %s", places[i].variable, output.status, output.err);
		ck_assert_int_lt(strlen(output.err), 2000);
	}
	assert_untouched();
}
END_TEST

/* ---- Nothing without a row ------------------------------------------------------------- */

static bool has_row(const char *command, const char *option)
{
	size_t size = option ? strlen(option) : 0;

	for (int i = 0; i < ROWS; i++) {
		const char *at = option ? strstr(rows[i].words, option) : rows[i].words;

		if (strcmp(rows[i].command, command) == 0 && at &&
		    (!option || !(isalpha((unsigned char)at[size]) || at[size] == '-')))
			return true;
	}
	return false;
}

/* The option at the beginning of a line of --help: "-n" or "--name"; none: "". */
static void option_of(const char *line, char *option, size_t size)
{
	const char *at = line + strspn(line, " "), *name = strstr(at, "--");
	int length;

	option[0] = '\0';
	if (at == line || at > line + 6 || at[0] != '-')
		return;
	if (at[1] != '-' && (!name || name > at + 4))
		name = at;
	length = (int)strspn(name + 1, "-abcdefghijklmnopqrstuvwxyz0123456789") + 1;
	snprintf(option, size, "%.*s", length, name);
}

static void check_options(const char *command)
{
	char option[64], *line, *rest = NULL;
	int count = 0;

	XCLUSTER(&output, command, "--help");
	ck_assert_msg(output.status == 0, "xcluster %s --help: %s", command, output.err);
	for (line = strtok_r(output.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		option_of(line, option, sizeof option);
		if (!option[0] || strcmp(option, "--help") == 0 || strcmp(option, "--usage") == 0)
			continue;
		count++;
		ck_assert_msg(has_row(command, option),
			      "xcluster %s %s has no row: add its wrong values here", command,
			      option);
	}
	ck_assert_msg(count > 0 || strcmp(command, "version") == 0, "%s has no options", command);
}

START_TEST(every_option_has_a_row)
{
	static struct output list;
	char *line, *rest = NULL, command[32];
	int count = 0;

	XCLUSTER(&list, "--help");
	ck_assert_int_eq(list.status, 0);
	for (line = strtok_r(list.out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "  ", 2) != 0 || sscanf(line, "%31s", command) != 1)
			continue;
		count++;
		ck_assert_msg(has_row(command, NULL), "xcluster %s has no row: add one here",
			      command);
		check_options(command);
	}
	check_options("engine"); /* not listed, as it is not for users */
	ck_assert_int_ge(count, 9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tests = separate_case(suite, "options");

	tcase_add_loop_test(tests, wrong_value, 0, ROWS);
	tcase_add_test(tests, wrong_directory);
	tcase_add_test(tests, every_option_has_a_row);
	return run_tests(suite);
}
