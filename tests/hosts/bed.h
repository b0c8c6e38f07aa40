/* bed.h: several hosts on this machine for a test program, by tests/testbed. The program is
 * their driver: it stays outside and runs commands on them. Hosts are named "ctl", "node1",
 * "node2" ...; where a function takes a place, "tester@node1" means the ordinary user there,
 * "node1" root. All fails the running test by itself, and every wait has a limit. */
#ifndef TESTS_HOSTS_BED_H
#define TESTS_HOSTS_BED_H

#include "tests/support/support.h"

#define BED_NODES_MAX 40

struct bed_options {
	int nodes;	    /* beside ctl; 0 means 3 */
	bool wire;	    /* a network that can delay and lose */
	bool shared_home;   /* /root and /home/tester are the same on all hosts, as by NFS */
	bool noisy;	    /* shell start-up files print */
	bool sshd_defaults; /* sshd's own MaxStartups 10:30:100 and MaxSessions 10 */
	const char *bare;   /* "node2,node3": neither xcluster nor its libraries there */
	bool slurm;	    /* a cluster of all nodes, with qsub; the controller on ctl */
	bool slurm_alone;   /* nodes n1, n2 ... that are all on ctl, in its place */
	bool sge;	    /* Grid Engine, in place of Slurm's qsub; see bed_lacks */
};

struct bed {
	char dir[64];
	int nodes;
};

/* ---- Life ------------------------------------------------------------------ */

/* For main: makes the bed, runs the suite, ends the bed, makes sure that nothing is left.
 * Returns the exit code: 77, with the reason printed, where no bed can be. */
int bed_tests(struct bed *bed, const struct bed_options *options, Suite *suite);

/* For more beds within a test. The bed ends with the process that starts it. */
void bed_start(struct bed *bed, const struct bed_options *options);
/* The same where no test runs: 0, or what is wrong is printed. */
int bed_make(struct bed *bed, const struct bed_options *options);
/* Asserts that no process of it is left. */
void bed_stop(struct bed *bed);

/* Why there can be no "slurm", "qsub" (Slurm's), "sge", "mpi"; NULL when there can. */
const char *bed_lacks(const char *what);
/* Tells that a test is not added to the suite, and why; it is counted as skipped. */
void bed_skip(const char *test, const char *reason);

/* ---- Commands -------------------------------------------------------------- */

/* Runs a shell text in a fresh environment in the user's home. */
void bed_run(const struct bed *bed, const char *place, double limit, struct output *output,
	     const char *format, ...) XC_PRINTF(5, 6);
/* The same within LIMIT, expected to succeed; its stdout, without the last newline, is in a
 * static buffer. */
const char *bed_ok(const struct bed *bed, const char *place, const char *format, ...)
	XC_PRINTF(3, 4);
/* In the background; program_tell, program_line, program_end work. Signals to program->pid
 * reach the command (begin the text with exec), and SIGKILL kills it. */
void bed_spawn(const struct bed *bed, const char *place, struct program *program,
	       const char *format, ...) XC_PRINTF(4, 5);

/* A fork of the test that lives on the host, returns 0, may assert, and ends by exit(0) or
 * at the end of the test. Open pipes go with it; the bed's functions do not work in it.
 * bed_join waits for it, and fails when it has failed. */
pid_t bed_fork(const struct bed *bed, const char *place);
void bed_join(pid_t actor);
/* The rest of the running test happens on the host. */
void bed_become(const struct bed *bed, const char *place);
/* Sockets that this process makes from now on are the host's; its files are not. */
void bed_enter_network(const struct bed *bed, const char *host);

/* ---- Faults ---------------------------------------------------------------- */

/* Silence between two hosts; with NULL, around the first. */
void bed_cut(const struct bed *bed, const char *host, const char *peer);
void bed_heal(const struct bed *bed, const char *host, const char *peer);
/* In one direction; "*" is every host. */
void bed_wire(const struct bed *bed, const char *from, const char *to, int delay_us,
	      int loss_permille);
void bed_freeze(const struct bed *bed, const char *host);
void bed_thaw(const struct bed *bed, const char *host);
/* Power failure: no process says farewell. */
void bed_crash(const struct bed *bed, const char *host);

/* ---- Looking --------------------------------------------------------------- */

/* Processes of that name (as in /proc/PID/comm; NULL: any but init and sshd's listener) on
 * the host. */
int bed_count_processes(const struct bed *bed, const char *host, const char *name);
/* True when the count gets to be n within the limit. */
bool bed_wait_processes(const struct bed *bed, const char *host, const char *name, int n,
			double limit);
/* A file of the host; to be given to free(), NULL when there is none. */
char *bed_read(const struct bed *bed, const char *host, const char *path);
void bed_write(const struct bed *bed, const char *host, const char *path, const char *text);
/* Bytes that the host's network card has sent and received. */
void bed_bytes(const struct bed *bed, const char *host, int64_t *sent, int64_t *received);
/* The first process of the host, as seen from here. */
pid_t bed_host(const struct bed *bed, const char *host);
/* Absolute path of the running test program: hosts see it, too. */
const char *bed_program(void);

#endif
