/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * step_copy.c - COPY, ADD and WORKDIR
 *
 * The sources are found and hashed by a job; where the cache has no such step the archives of an
 * ADD are unpacked, each by a helper, and a second job copies all into a root over the image's
 * layers.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "base/str.h"
#include "build/internal.h"
#include "loop/job.h"
#include "runtime/users.h"
#include "storage/storage.h"

static bool is_add(const struct build *b)
{
	return b->now->verb == DO_ADD;
}

void copy_release(struct build *b)
{
	for (size_t i = 0; b->bd && i < b->find.n; i++)
		if (b->find.found[i].unpacked_dir)
			storage_trash(engine_storage(b->bd->en), b->find.found[i].unpacked_dir);
	find_done(&b->find);
	copy_done(&b->copy);
	work_close(b, &b->from);
	work_close(b, &b->to);
}

static void fail(struct build *b, struct err *e)
{
	flow_fail(b, e);
}

/* ---- the image ---- */

static void seal(struct build *b)
{
	auto_free char *upper = NULL;
	struct err e = {0};

	if (work_seal(b, &b->to, &upper, &e) < 0)
		fail(b, &e);
	else
		commit_step(b, upper, flow_step_done);
}

/* ---- copying ---- */

static int copy_in_job(void *data)
{
	return copy_work(&((struct build *)data)->copy);
}

static void copied(int result, void *data)
{
	struct build *b = data;

	if (flow_back(b))
		return;
	if (result < 0)
		fail(b, &b->copy.err);
	else
		seal(b);
}

/* "user", "user:group" of the image, or numbers; a user alone names his group too, as in Docker */
static int read_owner(struct build *b, struct err *e)
{
	auto_free char *text = NULL, *spec = NULL, *root = NULL;
	auto_user_ids struct user_ids ids = {0};
	int r;

	if (str_empty(b->now->chown))
		return 0;
	r = runconfig_expand_word(b->config, &b->args, b->df->escape, b->now->chown, &text, e);
	if (r < 0)
		return r;
	spec = strchr(text, ':') ? strdup(text) : str_printf("%s:%s", text, text);
	root = str_printf("/proc/self/fd/%d", b->to.root);
	if (!spec || !root)
		return err_nomem(e);
	r = users_resolve(root, spec, NULL, &ids, e);
	if (r < 0)
		return err_wrap(e, "unable to convert uid/gid chown string to host mapping");
	b->copy.uid = ids.uid;
	b->copy.gid = ids.gid;
	return 0;
}

static int read_mode(struct build *b, struct err *e)
{
	auto_free char *text = NULL;
	int mode = 0, r;

	b->copy.mode = -1;
	if (str_empty(b->now->chmod))
		return 0;
	r = runconfig_expand_word(b->config, &b->args, b->df->escape, b->now->chmod, &text, e);
	if (r < 0)
		return r;
	for (const char *p = text; *p && mode >= 0; p++)
		mode = *p >= '0' && *p <= '7' && mode <= 0777 ? mode * 8 + *p - '0' : -1;
	if (!*text || mode < 0)
		return err_invalid(
			e,
			"invalid chmod parameter: '%.60s'. it should be octal string and "
			"between 0 and 07777",
			text);
	b->copy.mode = mode;
	return 0;
}

static char *destination(const struct build *b)
{
	const char *dest = b->words[strv_len(b->words) - 1];
	const char *dir = json_string_value(json_object_get(b->config, "WorkingDir"));
	auto_free char *above = path_join("/", str_empty(dir) ? "/" : dir);
	auto_free char *path = above ? path_join(above, dest) : NULL;

	if (!path)
		return NULL;
	return str_printf("%s%s", path, str_has_suffix(dest, "/") && path[1] ? "/" : "");
}

static void copy(struct build *b)
{
	struct err e = {0};
	int r;

	b->copy = (struct copy_job){.from = b->now->from ? b->from.root : b->context_fd,
				    .sources = b->find.found,
				    .n = b->find.n,
				    .preserve = b->now->from && str_empty(b->now->chown),
				    .cancelled = &b->cancelled};
	r = work_open(b, &b->to, 't', b->image, &e);
	if (r >= 0) {
		b->copy.to = b->to.root;
		b->copy.dest = destination(b);
		r = b->copy.dest ? read_owner(b, &e) : err_nomem(&e);
	}
	if (r >= 0)
		r = read_mode(b, &e);
	b->awaiting = true;
	if (r >= 0 && job_run(b->bd->jobs, copy_in_job, copied, b) < 0)
		r = err_nomem(&e);
	if (r < 0) {
		b->awaiting = false;
		fail(b, &e);
	}
}

/* ---- ADD: archives ---- */

static void next_archive(struct build *b);

static void unpacked(int result, const char *dir, const struct err *e, void *data)
{
	struct build *b = data;
	struct source *s = &b->find.found[b->unpacked++];

	b->unpack = NULL;
	if (dir && b->bd) {
		s->unpacked = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		s->unpacked_dir = strdup(dir);
	}
	if (flow_back(b))
		return;
	if (result < 0)
		flow_fail(b, e);
	else
		flow_later(b, next_archive);
}

static int unpack_source(struct build *b, struct source *s, struct err *e)
{
	const struct image_unpack_ops ops = {.done = unpacked, .data = b};
	auto_close int fd = open_inside(b->context_fd, s->path, O_RDONLY | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys(e, -fd, "ADD failed: %.500s", s->path);
	return image_unpack_start(engine_images(b->bd->en), fd, &ops, &b->unpack, e);
}

static void next_archive(struct build *b)
{
	struct err e = {0};

	while (b->unpacked < b->find.n && !b->find.found[b->unpacked].file)
		b->unpacked++;
	if (!is_add(b) || b->unpacked == b->find.n) {
		copy(b);
		return;
	}
	b->awaiting = true;
	if (unpack_source(b, &b->find.found[b->unpacked], &e) < 0) {
		b->awaiting = false;
		fail(b, &e);
	}
}

/* ---- finding ---- */

static int make_key(struct build *b, struct err *e)
{
	const struct instr *i = b->now;
	auto_free char *comment = str_printf("%s %s%s%s%s%s%s%s in %s ", is_add(b) ? "ADD" : "COPY",
					     i->chown ? "--chown=" : "", i->chown ? i->chown : "",
					     i->chown ? " " : "", i->chmod ? "--chmod=" : "",
					     i->chmod ? i->chmod : "", i->chmod ? " " : "",
					     b->find.key, b->words[strv_len(b->words) - 1]);

	b->key = comment ? runconfig_key_comment(b->config, comment, true) : NULL;
	return b->key ? 0 : err_nomem(e);
}

static int find_in_job(void *data)
{
	return find_work(&((struct build *)data)->find);
}

static void found(int result, void *data)
{
	struct build *b = data;
	const char *dest;
	struct err e = {0};

	if (flow_back(b))
		return;
	if (result < 0) {
		fail(b, &b->find.err);
		return;
	}
	dest = b->words[strv_len(b->words) - 1];
	if (b->find.n > 1 && !str_has_suffix(dest, "/"))
		(void)err_invalid(&e,
				  "When using %s with more than one source file, the destination "
				  "must be a directory and end with a /",
				  is_add(b) ? "ADD" : "COPY");
	if (e.code || make_key(b, &e) < 0)
		fail(b, &e);
	else if (!cache_probe(b))
		next_archive(b);
}

static void find(struct build *b)
{
	struct err e = {0};

	b->unpacked = 0;
	b->find = (struct find_job){.root = b->now->from ? b->from.root : b->context_fd,
				    .from_context = !b->now->from,
				    .word = is_add(b) ? "ADD" : "COPY",
				    .cancelled = &b->cancelled};
	for (char **w = b->words; !e.code && w[1]; w++)
		if (strv_add(&b->find.patterns, *w) < 0)
			(void)err_nomem(&e);
	b->awaiting = true;
	if (!e.code && job_run(b->bd->jobs, find_in_job, found, b) < 0)
		(void)err_nomem(&e);
	if (e.code) {
		b->awaiting = false;
		fail(b, &e);
	}
}

static void from_image(struct build *b, const char *id)
{
	struct err e = {0};

	if (flow_hold(b, id, &e) < 0 || work_open(b, &b->from, 'f', id, &e) < 0)
		fail(b, &e);
	else
		find(b);
}

/* Return: the stage that @name says, by name or number; -1 none; -EINVAL with @e */
static int find_stage(const struct build *b, const char *name, struct err *e)
{
	uint32_t n;

	for (size_t i = b->stage; i-- > 0;)
		if (b->df->stages[i].from->name && !strcasecmp(b->df->stages[i].from->name, name))
			return (int)i;
	if (parse_u32(name, &n) < 0)
		return -1;
	if (n == b->stage)
		return err_invalid(e, "invalid from flag value %s: refers to current build stage",
				   name);
	if (n > b->stage)
		return err_invalid(e, "invalid from flag value %s: index out of bounds", name);
	return (int)n;
}

static bool is_url(const char *s)
{
	return str_has_prefix(s, "http://") || str_has_prefix(s, "https://") ||
	       str_has_prefix(s, "ftp://") || str_has_prefix(s, "git@") ||
	       str_has_prefix(s, "git://") || str_has_prefix(s, "ssh://");
}

static int check_sources(const struct build *b, struct err *e)
{
	for (char **w = b->words; w[1]; w++) {
		if (!is_url(*w))
			continue;
		if (!is_add(b))
			return err_invalid(e, "COPY failed: source can't be a URL for COPY");
		return err_set(
			e, ERR_UNSUPPORTED, ENOTSUP,
			"ADD failed: this engine fetches no URLs (%.300s): fetch it in a RUN, "
			"or put it into the build context",
			*w);
	}
	return 0;
}

void step_copy(struct build *b)
{
	struct err e = {0};
	int at = -1;

	if (check_sources(b, &e) >= 0 && b->now->from)
		at = find_stage(b, b->now->from, &e);
	if (e.code)
		fail(b, &e);
	else if (!b->now->from)
		find(b);
	else if (at >= 0)
		from_image(b, b->results[at]);
	else
		from_resolve(b, b->now->from, NULL, from_image);
}

/* ---- WORKDIR ---- */

void step_workdir(struct build *b)
{
	const char *path = json_string_value(json_object_get(b->config, "WorkingDir"));
	struct err e = {0};

	if (work_open(b, &b->to, 't', b->image, &e) < 0 || copy_mkdir(b->to.root, path, &e) < 0)
		fail(b, &e);
	else
		seal(b);
}
