/* source.c: source text instead of a library: load and execute. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcluster/client.h"
#include "proto/error.h"
#include "proto/sealed.h"
#include "proto/source.h"

#define FLAGS	   "-O2"
#define TIME_LIMIT 120.0
#define FUNCTION   "xc_executed"

static int check_line(const char *call, const char *option, const char *text, struct xc_error *err)
{
	if (source_is_line(span_of(text)))
		return 0;
	return error_set(err, -EINVAL, "%s: %s is over %d bytes, or has a line end in it", call,
			 option, SOURCE_LINE_MAX);
}

static int check_options(const char *call, const struct xc_source_options *o, struct xc_error *err)
{
	if (!(o->time_limit >= 0) || o->time_limit > 86400)
		return error_set(err, -EINVAL,
				 "%s: options.time_limit must be from 0 to 86400 s, not %g", call,
				 o->time_limit);
	if (o->compiler && !o->compiler[strspn(o->compiler, " \t")])
		return error_set(err, -EINVAL,
				 "%s: options.compiler is empty: give a command, or NULL for that "
				 "of the engines",
				 call);
	if (check_line(call, "options.compiler", o->compiler, err) < 0)
		return -EINVAL;
	return check_line(call, "options.flags", o->flags, err);
}

static int fill(struct xci_image *image, struct span header, struct span text, struct xc_error *err)
{
	struct span parts[] = { header, text };
	crypto_generichash_state state;

	image->fd = sealed_create(image->name, parts, 2);
	if (image->fd < 0)
		return error_set(err, image->fd, "cannot make a copy of %s: %s", image->name,
				 strerror(-image->fd));
	image->size = header.size + text.size;
	crypto_generichash_init(&state, NULL, 0, sizeof image->hash);
	for (int i = 0; i < 2; i++)
		crypto_generichash_update(&state, parts[i].data, parts[i].size);
	crypto_generichash_final(&state, image->hash, sizeof image->hash);
	return 0;
}

/* `folder`: where the text looks for what it includes; only named if it may. */
static int image_make(const char *name, const char *folder, struct span text,
		      const struct xc_source_options *o, struct xci_image **image,
		      struct xc_error *err)
{
	double limit = o->time_limit > 0 ? o->time_limit : TIME_LIMIT;
	struct source source = { .name = span_of(name),
				 .compiler = span_of(o->compiler),
				 .flags = span_of(o->flags ? o->flags : FLAGS),
				 .limit_ms = (uint64_t)(limit * 1e3) + 1 };
	char *header = malloc(SOURCE_HEADER_MAX);
	struct xci_image *made = calloc(1, sizeof *made);
	size_t size;
	int r = 0;

	if (memmem(text.data, text.size, "include", 7))
		source.directory = span_of(folder);
	if (made)
		made->fd = -1;
	if (!header || !made || sodium_init() < 0) {
		r = error_set(err, -ENOMEM, "out of memory");
	} else {
		made->is_source = true;
		snprintf(made->name, sizeof made->name, "%s", name);
		size = source_header(header, SOURCE_HEADER_MAX, &source);
		r = size ? fill(made, (struct span){ header, size }, text, err)
			 : error_set(
				   err, -EINVAL,
				   "%s: its name or folder is over %d bytes, or has a line end in "
				   "it",
				   name, SOURCE_LINE_MAX);
	}
	free(header);
	if (r == 0)
		*image = made;
	else
		xci_image_destroy(made);
	return r;
}

/* ---- Load ------------------------------------------------------------------------- */

static int read_text(int fd, const char *path, char **text, size_t *size, struct xc_error *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, XC_ECODE, "%s is not a file", path);
	if ((uint64_t)st.st_size > SOURCE_TEXT_MAX)
		return error_set(err, XC_ECODE, "%s has %lld bytes, over the limit of %llu", path,
				 (long long)st.st_size, (unsigned long long)SOURCE_TEXT_MAX);
	*text = malloc((size_t)st.st_size + 1);
	if (!*text)
		return error_set(err, -ENOMEM, "out of memory");
	for (*size = 0; *size < (size_t)st.st_size; *size += (size_t)n) {
		n = read(fd, *text + *size, (size_t)st.st_size - *size);
		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
		else if (n == 0)
			break;
	}
	return 0;
}

static int check_name(const char *path, const char *name, struct xc_error *err)
{
	if (source_language(span_of(name)) == SOURCE_UNKNOWN)
		return error_set(err, -EINVAL,
				 "xc_load_source: %s is no source: its name must end in .c, .cc, "
				 ".cpp, .cxx or .f90; libraries are for xc_load",
				 path);
	if (name[0] == '-' || name[0] == '.' || strlen(name) > 200)
		return error_set(
			err, -EINVAL,
			"xc_load_source: the name of %s begins with '-' or '.', or has over "
			"200 bytes",
			path);
	return 0;
}

static int image_read(const char *path, const struct xc_source_options *o, struct xci_image **image,
		      struct xc_error *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char whole[PATH_MAX], *text = NULL;
	size_t size = 0;
	int fd, r = check_name(path, name, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, XC_ECODE, "cannot open source %s: %s", path, strerror(errno));
	r = read_text(fd, path, &text, &size, err);
	close(fd);
	if (!realpath(path, whole))
		whole[0] = '\0';
	else
		*strrchr(whole, '/') = '\0';
	if (r == 0)
		r = image_make(name, whole, (struct span){ text, size }, o, image, err);
	free(text);
	return r;
}

int xc_load_source(const struct xc_view *view, const char *path,
		   const struct xc_source_options *options, struct xc_error *err)
{
	static const struct xc_source_options no_options = XC_SOURCE_OPTIONS_INIT;
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;
	struct xci_image *image;

	if (!path || !*path)
		return error_set(e, -EINVAL, "xc_load_source: path is NULL or empty");
	if (!options)
		options = &no_options;
	if (check_options("xc_load_source", options, e) < 0 ||
	    image_read(path, options, &image, e) < 0)
		return e->code;
	return xci_load(view, "xc_load_source", path, image, e);
}

/* ---- Execute ----------------------------------------------------------------------- */

/* Where the preprocessor's lines at the start end. */
static const char *find_body(const char *text, int *line)
{
	const char *body = text;

	*line = 1;
	for (int at_line = 1; *text; at_line++) {
		const char *end = strchrnul(text, '\n');
		const char *first = text + strspn(text, " \t\r");
		bool more = *first == '#';

		if (first < end && !more && strncmp(first, "//", 2) != 0)
			break;
		/* A line that ends in \ goes on in the next. */
		while (more && *end && end > text && end[-1] == '\\') {
			end = strchrnul(end + 1, '\n');
			at_line++;
		}
		text = *end ? end + 1 : end;
		if (more || !*end) {
			body = text;
			*line = at_line + 1;
		}
	}
	return body;
}

static char *wrap(const char *statements, size_t *size)
{
	const char *body;
	char *text = NULL;
	FILE *file = open_memstream(&text, size);
	int line;

	if (!file)
		return NULL;
	body = find_body(statements, &line);
	fprintf(file,
		"#include <math.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <stdlib.h>\n"
		"#include <string.h>\n#include <xcluster.h>\n#line 1 \"execute\"\n%.*s\n"
		"#ifdef __cplusplus\nextern \"C\"\n#endif\n"
		"XC_API int " FUNCTION "(struct xc_task *task, const void *in, void *out);\n"
		"int " FUNCTION "(struct xc_task *task, const void *in, void *out)\n{\n"
		"(void)task;\n(void)in;\n(void)out;\n#line %d \"execute\"\n%s\n;return 0;\n}\n",
		(int)(body - statements), statements, line, body);
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

/* The statements as an image; their own #include "..." is of the working directory. */
static int image_of(const char *statements, const struct xc_source_options *o,
		    struct xci_image **image, struct xc_error *err)
{
	char folder[PATH_MAX] = "", *text;
	size_t size = 0;
	int r;

	if (strlen(statements) > SOURCE_TEXT_MAX / 2)
		return error_set(err, -EINVAL, "xc_execute: the statements have over %llu bytes",
				 (unsigned long long)SOURCE_TEXT_MAX / 2);
	text = wrap(statements, &size);
	if (!text)
		return error_set(err, -ENOMEM, "out of memory");
	if (strstr(statements, "include") && !getcwd(folder, sizeof folder))
		folder[0] = '\0';
	r = image_make("execute.c", folder, (struct span){ text, size }, o, image, err);
	free(text);
	return r;
}

static struct xc_result *submit(const struct xc_view *view, const struct xci_image *image,
				struct xc_error *err)
{
	static const struct xc_map_options options = { .label = "execute" };
	struct xci_submission s = { .view = view, .options = &options };
	unsigned char(*object)[OBJECT_SIZE];
	struct xc_result *result;

	s.items = view->kind == VIEW_BALANCED ? 1 : xc_view_size(view);
	if (s.items == 0) {
		xci_no_engine(view, err);
		return NULL;
	}
	object = malloc(sizeof *object);
	if (!object) {
		error_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	memcpy(*object, image->hash, OBJECT_SIZE);
	if (xci_image_put(view->client, image, err) < 0) {
		free(object);
		return NULL;
	}
	s.task = (struct task_frame){ .kind = FUNCTION_SYMBOL,
				      .form = FORM_SAME,
				      .step = 1,
				      .object = { image->hash, OBJECT_SIZE },
				      .program = span_of(image->name),
				      .symbol = span_of(FUNCTION) };
	zmq_msg_init(&s.payload);
	result = xci_submit(&s, err);
	if (result) { /* its job uses it: it is let go of when that ends */
		result->objects = object;
		result->object_count = 1;
		return result;
	}
	xci_object_release(view->client, image->hash);
	free(object);
	return NULL;
}

struct xc_result *xc_execute_async(const struct xc_view *view, const char *statements,
				   const struct xc_source_options *options, struct xc_error *err)
{
	static const struct xc_source_options no_options = XC_SOURCE_OPTIONS_INIT;
	struct xci_image *image = NULL;
	struct xc_result *result;

	if (!view || !statements) {
		error_set(err, -EINVAL, "xc_execute: view or statements are NULL");
		return NULL;
	}
	if (!options)
		options = &no_options;
	if (check_options("xc_execute", options, err) < 0 ||
	    image_of(statements, options, &image, err) < 0)
		return NULL;
	result = submit(view, image, err);
	xci_image_destroy(image);
	return result;
}

int xc_execute(const struct xc_view *view, const char *statements,
	       const struct xc_source_options *options, struct xc_error *err)
{
	struct xc_error local = XC_ERROR_INIT, *e = err ? err : &local;

	e->code = 0;
	return xci_finish(xc_execute_async(view, statements, options, e), e);
}
