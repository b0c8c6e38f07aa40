/* remote.c: one host's ssh process, and the lines from there.
 *
 *	ssh starts               the script is sent            CONNECTING
 *	@xcluster absent ...     the bundle is sent            COPYING
 *	@xcluster hello ...      the connection is sent        STARTING
 *	@xcluster ready ...      the agent is up               READY
 *	                         `detach` is sent; ssh ends    LEFT
 *	@xcluster failed ...     or the end of ssh             FAILED, or WAITING again
 *
 * N.B. nothing secret goes out before the hello. */
#include "launch/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launch/process.h"
#include "launch/script.h"
#include "proto/cluster_dir.h"

#define ATTEMPTS_MAX  10
#define BACKOFF_FIRST 0.2 /* s; doubles, with a jitter of half of it */
#define BACKOFF_MAX   4.0
#define HELLO_TIMEOUT 30.0
#define LOG_TAIL      8192
#define ARGS_MAX      64
#define STATUS_SSH    255 /* the connection was broken, or ended by a signal */

void remote_init(struct remote *remote, const struct host *host, const struct ssh_options *options)
{
	*remote = (struct remote){
		.host = host, .options = options, .pidfd = -1, .in = -1, .out = -1, .log = -1
	};
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void letter_end(struct letter *letter)
{
	if (letter->owned)
		explicit_bzero(letter->owned, letter->size);
	free(letter->owned);
	*letter = (struct letter){ 0 };
}

void remote_fini(struct remote *remote)
{
	letter_end(&remote->letter);
	close_fd(&remote->in);
	close_fd(&remote->out);
	close_fd(&remote->log);
	close_fd(&remote->pidfd);
}

void remote_fail(struct remote *remote, const char *format, ...)
{
	va_list ap;

	if (remote->state != SSH_FAILED) {
		remote->state = SSH_FAILED;
		va_start(ap, format);
		vsnprintf(remote->reason, sizeof remote->reason, format, ap);
		va_end(ap);
	}
	remote_hang_up(remote);
}

/* Before the hello there is nothing that the end of stdin would end. */
void remote_give_up(struct remote *remote, const char *format, ...)
{
	char text[REASON_SIZE];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (!remote->has_greeted)
		remote_kill(remote);
	remote_fail(remote, "%s", text);
}

void remote_hang_up(struct remote *remote)
{
	close_fd(&remote->in);
	letter_end(&remote->letter);
}

void remote_kill(struct remote *remote)
{
	if (remote->pid <= 0)
		return;
	remote->was_killed = true;
	kill(remote->pid, SIGKILL);
}

/* ---- What we write ------------------------------------------------------------- */

void remote_on_room(struct remote *remote, double now)
{
	struct letter *letter = &remote->letter;

	while (letter->sent < letter->size) {
		ssize_t n =
			write(remote->in, letter->data + letter->sent, letter->size - letter->sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			remote_hang_up(remote); /* ssh's end tells why */
			return;
		}
		letter->sent += (size_t)n;
		remote->since = now;
	}
	letter_end(letter);
}

static void send_letter(struct remote *remote, char *owned, const char *data, size_t size,
			double now)
{
	if (!data) {
		remote_fail(remote, "out of memory");
		return;
	}
	letter_end(&remote->letter);
	remote->letter = (struct letter){ .owned = owned, .data = data, .size = size };
	if (remote->in >= 0)
		remote_on_room(remote, now);
}

/* Through a tunnel the controller is on the host's own loopback. */
static char *letter_line(const struct remote *remote)
{
	json_t *json = json_loads(remote->options->connection, 0, NULL);
	char *text = NULL, *line = NULL;

	if (json && remote->options->tunnel)
		json_object_set_new(
			json, "addresses",
			json_pack("[o]", json_sprintf("tcp://127.0.0.1:%d", remote->port)));
	if (json)
		text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	free(text);
	return line;
}

/* ---- The log: what ssh says, and what is no line for us ---------------------------- */

static bool open_log(struct remote *remote)
{
	char path[CLUSTER_PATH_MAX];

	if (remote->log < 0 &&
	    cluster_file(remote->options->dir, path, sizeof path, "%s", remote->host->log) == 0)
		remote->log =
			open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	remote->log_begin = remote->log < 0 ? 0 : lseek(remote->log, 0, SEEK_END);
	return remote->log >= 0;
}

static void log_text(const struct remote *remote, const char *text)
{
	dprintf(remote->log, REASON_STDOUT "%s\n", text);
}

/* What this attempt has written, its end; to be given to free(). */
static char *read_log(const struct remote *remote)
{
	off_t end = lseek(remote->log, 0, SEEK_END), begin = remote->log_begin;
	char *text = calloc(1, LOG_TAIL + 1);

	if (end - begin > LOG_TAIL)
		begin = end - LOG_TAIL;
	if (text && pread(remote->log, text, (size_t)(end - begin), begin) < 0)
		text[0] = '\0';
	return text;
}

/* ---- Beginning and end of ssh ------------------------------------------------------ */

static char *make_script(struct remote *remote)
{
	const char *args[ARGS_MAX];
	size_t used = 0;

	snprintf(remote->info, sizeof remote->info, "ssh %s", remote->host->name);
	args[used++] = "--launch-info";
	args[used++] = remote->info;
	if (remote->host->engines) {
		snprintf(remote->n, sizeof remote->n, "%d", remote->host->engines);
		args[used++] = "-n";
		args[used++] = remote->n;
	}
	if (remote->options->tunnel)
		args[used++] = "--stay";
	for (const char *const *a = remote->options->args; a && *a && used + 1 < ARGS_MAX; a++)
		args[used++] = *a;
	args[used] = NULL;
	return script_make(remote->host, remote->options->command, remote->options->bundle, args);
}

void remote_start(struct remote *remote, double now)
{
	char *script;
	int r;

	remote->attempts++;
	remote->since = now;
	remote->has_greeted = remote->is_broken = false;
	remote->line_size = 0;
	remote->port = 0;
	if (!open_log(remote)) {
		remote_fail(remote, "cannot write the log %s/%s: %s", remote->options->dir,
			    remote->host->log, strerror(errno));
		return;
	}
	r = process_start(remote);
	if (r < 0) {
		remote_fail(remote, "cannot run the ssh command \"%s\": %s", remote->options->ssh,
			    r == -EINVAL ? "it is empty, or a quote is not closed" : strerror(-r));
		return;
	}
	remote->state = SSH_CONNECTING;
	script = make_script(remote);
	send_letter(remote, script, script, script ? strlen(script) : 0, now);
}

static double back_off(int attempts)
{
	double pause = BACKOFF_FIRST * (double)(1 << (attempts < 8 ? attempts - 1 : 7));
	uint32_t random = 0;

	if (pause > BACKOFF_MAX)
		pause = BACKOFF_MAX;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = (uint32_t)getpid();
	return pause * (0.5 + (double)random / (double)UINT32_MAX);
}

static void judge_end(struct remote *remote, int status, double now)
{
	char *text = read_log(remote);
	bool again = reason_of_end(status, text ? text : "", remote->host->name, remote->reason,
				   sizeof remote->reason);

	free(text);
	if (again && remote->attempts < ATTEMPTS_MAX) {
		remote->state = SSH_WAITING;
		remote->due = now + back_off(remote->attempts);
	} else {
		remote->state = SSH_FAILED;
	}
}

static void judge_late_end(struct remote *remote, bool broken)
{
	char *text = read_log(remote), line[320];

	reason_last_line(text ? text : "", line, sizeof line);
	free(text);
	remote->state = SSH_FAILED;
	snprintf(remote->reason, sizeof remote->reason, "%s%s%s",
		 broken ? "its connection has ended"
			: "xcluster there has ended before its engines were up",
		 line[0] ? ": " : "", line);
}

static void close_all(struct remote *remote)
{
	close_fd(&remote->pidfd);
	close_fd(&remote->out);
	close_fd(&remote->in);
	letter_end(&remote->letter);
}

void remote_on_exit(struct remote *remote, double now)
{
	int status = 0, code;

	while (waitpid(remote->pid, &status, 0) < 0 && errno == EINTR)
		;
	remote->pid = 0;
	/* Its last lines may say why. */
	if (remote->out >= 0)
		remote_on_output(remote, now);
	close_all(remote);
	code = WIFEXITED(status) ? WEXITSTATUS(status) : STATUS_SSH;
	remote->is_broken = remote->has_greeted && code == STATUS_SSH;
	if (remote->state == SSH_FAILED || (remote->state == SSH_LEFT && code == 0))
		return;
	if (remote->state == SSH_CONNECTING)
		judge_end(remote, status, now);
	else
		judge_late_end(remote, code == STATUS_SSH);
}

/* ---- Lines from there ----------------------------------------------------------------- */

static void on_hello(struct remote *remote, const char *text, double now)
{
	char version[64], machine[64], *line;

	if (sscanf(text, "%63s %63s %255s", version, machine, remote->node) != 3) {
		remote_fail(remote, "what it says cannot be read: %.100s", text);
		return;
	}
	if (strcmp(version, XC_VERSION) != 0) {
		remote_fail(remote,
			    "wrong version: it has xcluster %s, this is xcluster %s: install the "
			    "same there, or use --deploy",
			    version, XC_VERSION);
		return;
	}
	remote->has_greeted = true;
	remote->state = SSH_STARTING;
	if (remote->options->tunnel && !remote->port) {
		remote_fail(remote, "no tunnel: ssh has not told its port");
		return;
	}
	line = letter_line(remote);
	send_letter(remote, line, line, line ? strlen(line) : 0, now);
}

static void on_absent(struct remote *remote, const char *text, double now)
{
	const struct bundle *bundle = remote->options->bundle;
	struct utsname here;

	uname(&here);
	if (!bundle) {
		remote_fail(remote,
			    "there is no command %s: install xcluster there, name it by "
			    "--remote-command, or use --deploy",
			    remote->host->command ? remote->host->command
						  : remote->options->command);
		return;
	}
	if (strcmp(text, here.machine) != 0) {
		remote_fail(remote,
			    "another architecture: it is %.40s, this xcluster is for %s: install "
			    "one there",
			    text, here.machine);
		return;
	}
	remote->state = SSH_COPYING;
	send_letter(remote, NULL, bundle->data, bundle->size, now);
}

static void on_ready(struct remote *remote, const char *text, double now)
{
	(void)now;
	if ((remote->state != SSH_STARTING && remote->state != SSH_READY) ||
	    sscanf(text, "%d %d", &remote->first, &remote->engines) != 2 || remote->first < 0 ||
	    remote->engines < 1 || remote->engines > HOST_ENGINES_MAX)
		remote_fail(remote, "what it says cannot be read: %.100s", text);
	else
		remote->state = SSH_READY;
}

static void on_failed(struct remote *remote, const char *text, double now)
{
	(void)now;
	remote_fail(remote, "%s", text);
}

static const struct {
	const char *word;
	void (*handler)(struct remote *remote, const char *text, double now);
} lines[] = {
	{ "hello ", on_hello },
	{ "absent ", on_absent },
	{ "ready ", on_ready },
	{ "failed ", on_failed },
};

/* The port that sshd has chosen stands in what ssh says. */
static void find_port(struct remote *remote)
{
	static const char part[] = "Allocated port ";
	char *text = read_log(remote), *at = text ? strstr(text, part) : NULL;

	if (at)
		remote->port = atoi(at + sizeof part - 1);
	free(text);
}

static void take_line(struct remote *remote, double now)
{
	static const char marker[] = SCRIPT_MARKER;
	const char *text = remote->line + sizeof marker - 1;

	remote->since = now;
	if (strncmp(remote->line, marker, sizeof marker - 1) != 0) {
		if (remote->line[0])
			log_text(remote, remote->line);
		return;
	}
	/* It may be shown on a terminal. */
	for (char *c = remote->line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	if (remote->options->tunnel)
		find_port(remote);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		size_t size = strlen(lines[i].word);

		if (strncmp(text, lines[i].word, size) == 0) {
			if (remote->state != SSH_FAILED)
				lines[i].handler(remote, text + size, now);
			return;
		}
	}
}

void remote_on_output(struct remote *remote, double now)
{
	char block[4096];
	ssize_t n;

	while ((n = read(remote->out, block, sizeof block)) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			char c = block[i];

			if (c == '\n') {
				remote->line[remote->line_size] = '\0';
				remote->line_size = 0;
				take_line(remote, now);
			} else if (remote->line_size + 1 < sizeof remote->line && c != '\r' && c) {
				remote->line[remote->line_size++] = c;
			}
		}
	}
	if (n == 0)
		close_fd(&remote->out);
}

/* ---- Time, and leaving ------------------------------------------------------------------ */

void remote_tick(struct remote *remote, double now)
{
	if (now - remote->since < HELLO_TIMEOUT)
		return;
	if (remote->state == SSH_CONNECTING)
		remote_give_up(remote,
			       "time-out: ssh has got no answer from it within %g s; see what "
			       "`ssh %s` does",
			       HELLO_TIMEOUT, remote->host->name);
	else if (remote->state == SSH_COPYING)
		remote_give_up(remote,
			       "time-out: xcluster could not be copied there: nothing moved for "
			       "%g s",
			       HELLO_TIMEOUT);
}

void remote_leave(struct remote *remote)
{
	static const char detach[] = "detach\n";

	if (remote->state != SSH_READY)
		return;
	remote->state = SSH_LEFT;
	send_letter(remote, NULL, detach, sizeof detach - 1, remote->since);
}
