/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * flow.c - the order of a build: arguments, stages, steps, the end; its output
 *
 * The lines are those of Docker's classic builder, for there are programs that read them.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/ignore.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "build/expand.h"
#include "build/internal.h"
#include "loop/loop.h"

#define TEXT_MAX   (2u << 20)
#define IGNORE_MAX (1u << 20)

static void flow_next(struct build *b);

/* ---- turns ---- */

static void turn(void *data)
{
	struct build *b = data;

	b->turn = NULL;
	if (b->full && !atomic_load(&b->cancelled)) {
		b->stalled = true;
		return;
	}
	b->awaiting = false;
	if (!b->bd || atomic_load(&b->cancelled))
		flow_fail(b, NULL);
	else
		b->on_turn(b);
}

void flow_unstall(struct build *b)
{
	b->full = false;
	if (!b->stalled)
		return;
	b->stalled = false;
	turn(b);
}

void flow_later(struct build *b, void (*next)(struct build *b))
{
	b->on_turn = next;
	b->awaiting = true;
	if (loop_defer(engine_loop(b->bd->en), turn, b, &b->turn) < 0) {
		(void)err_nomem(&b->err); /* the next line of the client is the end of it */
		b->awaiting = false;
		build_end(b);
	}
}

bool flow_back(struct build *b)
{
	b->awaiting = false;
	if (b->bd && !atomic_load(&b->cancelled))
		return false;
	flow_fail(b, NULL);
	return true;
}

static void cleaned_after_failure(struct build *b)
{
	build_end(b);
}

void flow_fail(struct build *b, const struct err *e)
{
	if (!b->bd) {
		b->over = true;
		build_end(b);
		return;
	}
	if (atomic_load(&b->cancelled))
		(void)err_set(&b->err, ERR_INTERNAL, ECANCELED, "Build cancelled");
	else if (e && e->code)
		b->err = *e;
	else if (!b->err.code)
		(void)err_set(&b->err, ERR_INTERNAL, EIO, "the build failed");
	copy_release(b);
	run_cleanup(b, true, cleaned_after_failure);
}

int flow_hold(struct build *b, const char *id, struct err *e)
{
	if (!*id)
		return 0;
	if (strv_add(&b->held, id) < 0)
		return err_nomem(e);
	image_hold(engine_images(b->bd->en), id);
	return 0;
}

/* ---- output ---- */

void flow_printf(struct build *b, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list ap;
	int n;

	if (b->o.quiet || b->over)
		return;
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0) {
		text = NULL;
		return;
	}
	b->full = b->ops.text(text, (size_t)n, b->ops.data) != 0;
}

static void print_step(struct build *b, const struct instr *i)
{
	flow_printf(b, "Step %zu/%zu : %s", ++b->number, b->total, i->source);
	flow_printf(b, "\n");
}

static void print_image(struct build *b)
{
	flow_printf(b, " ---> %.12s\n", *b->image ? b->image + strlen("sha256:") : "");
}

/* ---- the context and its Dockerfile ---- */

/* a file of the context; links stay inside of it. Return: bytes, or -errno */
static ssize_t read_context(struct build *b, const char *path, struct buf *out)
{
	auto_close int fd = open_inside(b->context_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	char chunk[16384];
	ssize_t n;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		if (buf_add(out, chunk, (size_t)n) < 0)
			return -EFBIG;
	return n < 0 ? -errno : (ssize_t)out->len;
}

static int read_dockerfile(struct build *b, struct buf *out, struct err *e)
{
	const char *name = b->o.dockerfile;
	auto_free char *clean = path_clean_lexical(name);
	const char *path = clean;
	ssize_t n;

	if (!clean)
		return err_nomem(e);
	path += *path == '/';
	n = read_context(b, path, out);
	if (n == -ENOENT && !strcmp(name, "Dockerfile")) /* as Docker does */
		n = read_context(b, "dockerfile", out);
	if (n == -ENOENT || n == -ENOTDIR)
		return err_invalid(e, "Cannot locate specified Dockerfile: %.500s", name);
	if (n == -EFBIG)
		return err_invalid(e, "the Dockerfile is larger than %u bytes", DOCKERFILE_MAX);
	if (n < 0)
		return err_invalid(e, "failed to read the Dockerfile (%.500s): %s", name,
				   strerror((int)-n));
	return n == 0 ? err_invalid(e, "The Dockerfile (%.500s) cannot be empty", name) : 0;
}

/* The client has left out what .dockerignore says, but for the two files that the engine needs:
 * these go now, where they match. */
static int drop_ignored(struct build *b, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(IGNORE_MAX);
	auto_(ignore_free) struct ignore *g = NULL;
	auto_free char *clean = path_clean_lexical(b->o.dockerfile);
	const char *names[2] = {".dockerignore", clean};
	ssize_t n = read_context(b, ".dockerignore", &text);
	int r;

	if (!clean)
		return err_nomem(e);
	if (n < 0)
		return n == -EFBIG ? err_invalid(e, "the .dockerignore is too large") : 0;
	r = ignore_parse(buf_str(&text), text.len, &g, e);
	if (r < 0)
		return err_wrap(e, "error reading .dockerignore");
	names[1] += *clean == '/';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *base = path_base(names[i]);
		auto_free char *dir = strndup(names[i], (size_t)(base - names[i]));

		r = dir ? ignore_match(g, names[i]) : -ENOMEM;
		if (r < 0)
			return err_nomem(e);
		auto_close int fd = r ? open_inside(b->context_fd, dir, O_PATH | O_DIRECTORY)
				      : -EBADF;

		if (fd >= 0 && unlinkat(fd, base, 0) < 0 && errno != ENOENT)
			return err_sys(e, errno, "cannot leave out %.200s", names[i]);
	}
	return 0;
}

static int add_labels(struct build *b, struct err *e)
{
	const char *name;
	json_t *v;
	int r = 0;

	json_object_foreach(b->o.labels, name, v)
	{
		if (!json_is_string(v))
			return err_invalid(e,
					   "error reading labels: the value of %.100s is no "
					   "string",
					   name);
	}
	auto_free char *sorted =
		b->o.labels ? json_dumps(b->o.labels, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
	auto_json json_t *again = sorted ? json_loads(sorted, 0, NULL) : NULL;

	json_object_foreach(again, name, v)
	{
		auto_(instr_free) struct instr *i = NULL;

		r = r < 0 ? r : instr_label(name, json_string_value(v), &i, e);
		if (r >= 0 && (r = dockerfile_append(b->df, i)) < 0)
			(void)err_nomem(e);
		if (r >= 0)
			(void)TAKE_PTR(i);
	}
	return r;
}

static int prepare(struct build *b, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(DOCKERFILE_MAX);
	int r = read_dockerfile(b, &text, e);

	if (r >= 0)
		r = drop_ignored(b, e);
	if (r >= 0)
		r = dockerfile_parse(buf_str(&text), text.len, &b->df, e);
	if (r >= 0)
		r = dockerfile_target(b->df, b->o.target, e);
	if (r >= 0)
		r = add_labels(b, e);
	if (r < 0)
		return r;
	b->total = dockerfile_steps(b->df);
	b->results = calloc(b->df->n_stages, sizeof(*b->results));
	return b->results ? 0 : err_nomem(e);
}

void flow_begin(struct build *b)
{
	struct err e = {0};

	if (prepare(b, &e) < 0)
		flow_fail(b, &e);
	else
		flow_next(b);
}

/* ---- arguments before the first FROM ---- */

static const char *global_arg(const char *name, void *data)
{
	const struct build *b = data;

	return args_get_global(&b->args, name);
}

static int expand_global(struct build *b, const char *word, char **ret, struct err *e)
{
	const struct expand_env env = {b->df->escape, global_arg, b};

	return expand_word(&env, word, ret, e);
}

static void do_global(struct build *b, const struct instr *i)
{
	struct err e = {0};
	int r = 0;

	print_step(b, i);
	for (char **v = i->args; r >= 0 && *v; v++) {
		auto_free char *word = NULL;

		r = expand_global(b, *v, &word, &e);
		if (r >= 0 && args_declare(&b->args, word, true) < 0)
			r = err_nomem(&e);
	}
	if (r < 0)
		flow_fail(b, &e);
	else
		flow_later(b, flow_next);
}

/* ---- a stage begins ---- */

static void take_triggers(struct build *b, struct err *e)
{
	json_t *list = json_object_get(b->config, "OnBuild"), *s;
	size_t n = json_array_size(list), i;

	if (!n)
		return;
	flow_printf(b, "# Executing %zu build trigger%s\n", n, n > 1 ? "s" : "");
	b->triggers = calloc(n, sizeof(*b->triggers));
	if (!b->triggers) {
		(void)err_nomem(e);
		return;
	}
	json_array_foreach(list, i, s)
	{
		if (e->code)
			break;
		if (instr_parse(json_is_string(s) ? json_string_value(s) : "", 0, '\\',
				&b->triggers[b->n_triggers], e) < 0)
			break;
		enum verb v = b->triggers[b->n_triggers++]->verb;

		if (v == DO_ONBUILD || v == DO_FROM || v == DO_MAINTAINER)
			(void)err_invalid(e, "%s isn't allowed as an ONBUILD trigger",
					  json_string_value(s));
	}
	(void)json_object_del(b->config, "OnBuild");
}

static void stage_from(struct build *b, const char *id)
{
	const json_t *config = NULL;
	struct image *i = NULL;
	struct err e = {0};

	(void)snprintf(b->image, sizeof(b->image), "%s", id);
	if (*id && image_find(engine_images(b->bd->en), id, &i, &e) >= 0)
		config = image_config(i);
	json_decref(b->config);
	b->config = e.code ? NULL : runconfig_new(config);
	if (!b->config && !e.code)
		(void)err_nomem(&e);
	if (!e.code && config && json_get(config, "author") &&
	    str_set(&b->maintainer, json_string_value(json_get(config, "author"))) < 0)
		(void)err_nomem(&e);
	if (!e.code && flow_hold(b, id, &e) >= 0)
		take_triggers(b, &e);
	if (e.code) {
		flow_fail(b, &e);
		return;
	}
	b->begun = true;
	if (b->n_triggers) {
		flow_later(b, flow_next);
		return;
	}
	print_image(b);
	flow_later(b, flow_next);
}

static void do_from(struct build *b)
{
	const struct stage *s = &b->df->stages[b->stage];
	auto_free char *name = NULL, *platform = NULL;
	struct err e = {0};

	print_step(b, s->from);
	b->cmd_set = b->missed = false;
	b->image[0] = '\0';
	free(TAKE_PTR(b->maintainer));
	if (args_stage(&b->args) < 0)
		(void)err_nomem(&e);
	if (e.code || expand_global(b, s->from->args[0], &name, &e) < 0 ||
	    (s->from->platform && expand_global(b, s->from->platform, &platform, &e) < 0)) {
		flow_fail(b, &e);
		return;
	}
	for (size_t i = b->stage; i-- > 0;)
		if (b->df->stages[i].from->name && !strcasecmp(b->df->stages[i].from->name, name)) {
			stage_from(b, b->results[i]);
			return;
		}
	from_resolve(b, name, platform ? platform : b->o.platform, stage_from);
}

/* ---- steps ---- */

static void do_arg(struct build *b)
{
	auto_buf struct buf text = BUF_INIT(TEXT_MAX);
	struct err e = {0};

	(void)buf_puts(&text, "ARG");
	for (char **v = b->words; v && *v; v++) {
		if (args_declare(&b->args, *v, false) < 0)
			(void)err_nomem(&e);
		(void)buf_printf(&text, " %s", *v);
	}
	b->key = runconfig_key_comment(b->config, buf_str(&text), false);
	if (!b->key || e.code || buf_err(&text)) {
		(void)err_nomem(&e);
		flow_fail(b, &e);
	} else if (!cache_probe(b)) {
		commit_step(b, NULL, flow_step_done);
	}
}

static void do_config(struct build *b)
{
	auto_free char *comment = NULL;
	bool workdir = b->now->verb == DO_WORKDIR;
	struct err e = {0};

	if (b->now->verb == DO_MAINTAINER && str_set(&b->maintainer, b->words[0]) < 0)
		(void)err_nomem(&e);
	if (!e.code &&
	    runconfig_apply(b->config, b->now, b->words, &b->cmd_set, &comment, &e) >= 0 &&
	    !(b->key = runconfig_key_comment(b->config, comment, workdir)))
		(void)err_nomem(&e);
	if (e.code)
		flow_fail(b, &e);
	else if (cache_probe(b))
		return;
	else if (workdir)
		step_workdir(b);
	else
		commit_step(b, NULL, flow_step_done);
}

static void dispatch(struct build *b, const struct instr *i)
{
	struct err e = {0};

	b->now = i;
	json_decref(b->key);
	b->key = NULL;
	strv_free(b->words);
	b->words = NULL;
	if (i->needs)
		(void)err_invalid(&e,
				  "the %s requires BuildKit. Refer to "
				  "https://docs.docker.com/go/buildkit/ to learn how to build "
				  "images with BuildKit enabled",
				  i->needs);
	if (e.code || runconfig_expand(b->config, &b->args, b->df->escape, i, &b->words, &e) < 0) {
		flow_fail(b, &e);
		return;
	}
	switch (i->verb) {
	case DO_ARG:
		do_arg(b);
		break;
	case DO_RUN:
		step_run(b);
		break;
	case DO_ADD:
	case DO_COPY:
		step_copy(b);
		break;
	default:
		do_config(b);
		break;
	}
}

static void after_cleanup(struct build *b)
{
	bool last_trigger = b->n_triggers && b->trigger == b->n_triggers;

	if (last_trigger) {
		for (size_t i = 0; i < b->n_triggers; i++)
			instr_free(b->triggers[i]);
		free(TAKE_PTR(b->triggers));
		b->n_triggers = b->trigger = 0;
	}
	if (!b->n_triggers)
		print_image(b);
	flow_later(b, flow_next);
}

void flow_step_done(struct build *b)
{
	struct err e = {0};

	copy_release(b);
	if (flow_hold(b, b->image, &e) < 0)
		flow_fail(b, &e);
	else
		run_cleanup(b, false, after_cleanup);
}

/* ---- the end ---- */

static int tag_all(struct build *b, struct err *e)
{
	struct images *im = engine_images(b->bd->en);
	int r = 0;

	for (char **t = b->o.tags; r >= 0 && t && *t; t++) {
		struct image *i;

		r = image_find(im, b->image, &i, e);
		if (r >= 0)
			r = image_tag(im, i, *t, NULL, e);
		if (r < 0)
			break;
		engine_event(b->bd->en, "image", "tag", b->image, json_pack("{s:s}", "name", *t));
		flow_printf(b, "Successfully tagged %s%s\n", *t,
			    strchr(path_base(*t), ':') ? "" : ":latest");
	}
	return r;
}

static void finish(struct build *b)
{
	auto_strv char **unused = NULL;
	struct err e = {0};

	if (args_unused(&b->args, &unused) < 0)
		(void)err_nomem(&e);
	if (unused) {
		auto_buf struct buf list = BUF_INIT(TEXT_MAX);

		for (char **v = unused; *v; v++)
			(void)buf_printf(&list, "%s%s", v == unused ? "" : " ", *v);
		flow_printf(b, "[Warning] One or more build-args [%s] were not consumed\n",
			    buf_str(&list));
	}
	if (!e.code && !*b->image)
		(void)err_invalid(&e, "No image was generated. Is your Dockerfile empty?");
	if (!e.code) {
		flow_printf(b, "Successfully built %.12s\n", b->image + strlen("sha256:"));
		(void)tag_all(b, &e);
	}
	if (e.code) {
		flow_fail(b, &e);
		return;
	}
	log_info("image built id=%s steps=%zu", b->image, b->total);
	build_end(b);
}

static void end_stage(struct build *b)
{
	memcpy(b->results[b->stage], b->image, sizeof(b->image));
	if (*b->image && !b->o.quiet)
		b->ops.aux(b->image, b->ops.data);
	b->stage++;
	b->step = 0;
	b->begun = false;
	flow_later(b, flow_next);
}

static void flow_next(struct build *b)
{
	const struct stage *s;

	if (b->global < b->df->n_globals) {
		do_global(b, b->df->globals[b->global++]);
		return;
	}
	if (b->stage == b->df->n_stages) {
		finish(b);
		return;
	}
	s = &b->df->stages[b->stage];
	if (!b->begun) {
		do_from(b);
	} else if (b->trigger < b->n_triggers) {
		dispatch(b, b->triggers[b->trigger++]);
	} else if (b->step < s->n) {
		print_step(b, s->steps[b->step]);
		dispatch(b, s->steps[b->step++]);
	} else {
		end_stage(b);
	}
}
