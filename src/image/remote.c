/* SPDX-License-Identifier: GPL-2.0-or-later */
/* remote.c - sessions with registries */
#include "image/remote.h"

#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "image/child.h"
#include "image/internal.h"
#include "storage/storage.h"

#define LINE_MAX_BYTES (24 * LIMIT_MANIFEST) /* two manifests and a config, each byte escaped */

struct remote {
	struct images *im;
	struct remote_ops ops;
	struct child *child;
	int commands;
	char *dir; /* an empty one, for the helper to mount on */
};

void remote_close(struct remote *r)
{
	if (!r)
		return;
	child_free(r->child);
	(void)fd_close(r->commands);
	if (r->dir)
		storage_trash(r->im->storage, r->dir);
	free(r->dir);
	free(r);
}

static int on_line(const char *line, size_t len, void *data, struct err *e)
{
	struct remote *r = data;
	auto_json json_t *j = NULL;
	const char *mirror, *why;
	int rc = json_read(line, len, &j, e);

	if (rc >= 0 && !json_is_object(j))
		rc = err_invalid(e, "no object");
	if (rc < 0)
		return err_wrap(e, "the registry client's report");
	if (json_unpack(j, "{s:[s,s]}", "left", &mirror, &why) < 0)
		return r->ops.answer(j, r->ops.data, e);
	log_warn("a mirror is passed over mirror=%s error=%s", mirror, why);
	return 0;
}

static void on_ended(const struct err *e, void *data)
{
	struct remote *r = data;
	struct err early = {0};

	(void)err_set(&early, ERR_INTERNAL, EIO, "the registry client ended early");
	r->ops.ended(e ? e : &early, r->ops.data);
}

int remote_send(struct remote *r, json_t *command, int fd, struct err *e)
{
	auto_free char *text = command ? json_dumps(command, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	ssize_t n;

	json_decref(command);
	if (!text)
		return err_nomem(e);
	n = fd_send(r->commands, text, len, &fd, fd >= 0 ? 1 : 0);
	explicit_bzero(text, len); /* there may be a password in it */
	return n < 0 ? err_sys(e, (int)-n, "cannot tell the registry client what to do") : 0;
}

/* ---- the opening ---- */

static json_t *open_command(const struct images *im, const struct remote_spec *s)
{
	const struct image_ref *ref = s->ref;
	const struct registry_config *c = im->registry;
	struct image_ref name = {.domain = ref->domain, .path = ref->path};
	auto_free char *shown = image_ref_canonical(&name);

	return json_pack("{s:s,s:s,s:s,s:s,s:s?,s:s?,s:i,s:o,s:o,s:o,s:{s:s?,s:s?,s:s?}}", "op",
			 "open", "domain", ref->domain, "path", ref->path, "shown",
			 shown ? shown : "", "actions", s->actions, "platform", s->platform,
			 "attempts", (int)c->download_attempts, "auth", registry_auth_json(s->auth),
			 "insecure", json_strings(c->insecure), "mirrors", json_strings(c->mirrors),
			 "proxies", "http", c->proxy_http, "https", c->proxy_https, "no",
			 c->no_proxy);
}

static int start(struct remote *r, struct err *e)
{
	const char *const argv[] = {r->im->registry_program, r->dir, NULL};
	const struct child_ops ops = {.line = on_line, .ended = on_ended, .data = r};
	struct child_spec spec = CHILD_SPEC_INIT;
	auto_close int theirs = -EBADF;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, errno, "cannot make a socket");
	r->commands = pair[0];
	theirs = pair[1];
	spec.argv = argv;
	spec.in = theirs;
	spec.line_max = LINE_MAX_BYTES;
	return child_start(r->im, &spec, &ops, &r->child, e);
}

int remote_open(struct images *im, const struct remote_spec *s, const struct remote_ops *ops,
		struct remote **ret, struct err *e)
{
	struct remote *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_nomem(e);
	*r = (struct remote){.im = im, .ops = *ops, .commands = -EBADF};
	rc = im->registry_program && im->registry
		     ? storage_layer_tmp(im->storage, &r->dir, e)
		     : err_set(e, ERR_UNSUPPORTED, ENOTSUP, "there is no registry client here");
	if (rc >= 0)
		rc = start(r, e);
	if (rc >= 0)
		rc = remote_send(r, open_command(im, s), -1, e);
	if (rc < 0)
		remote_close(r);
	else
		*ret = r;
	return rc;
}

/* ---- failures ---- */

/* Docker's words around what a registry said of a pull (moby distribution/errors.go) */
static int translate(const char *code, const char *text, const struct image_ref *ref, struct err *e)
{
	struct image_ref name = {.domain = ref->domain, .path = ref->path};
	auto_free char *shown = image_ref_familiar(&name), *whole = image_ref_familiar(ref);

	if (!shown || !whole)
		return err_nomem(e);
	if (streq(code, "DENIED"))
		return err_not_found(e,
				     "pull access denied for %s, repository does not exist or may "
				     "require 'docker login': %.600s",
				     shown, text);
	if (streq(code, "MANIFEST_UNKNOWN"))
		return err_not_found(e, "manifest for %s not found: %.600s", whole, text);
	if (streq(code, "NAME_UNKNOWN"))
		return err_not_found(e, "repository %s not found: %.600s", shown, text);
	return 0;
}

int remote_failed(const json_t *answer, const struct image_ref *ref, int64_t *ret_n, struct err *e)
{
	const json_t *f = json_object_get(answer, "failed");
	const char *text = json_string_value(json_object_get(f, "text"));
	const char *code = json_string_value(json_object_get(f, "code"));
	json_int_t kind = json_integer_value(json_object_get(f, "kind"));

	if (!f)
		return 0;
	*ret_n = json_integer_value(json_object_get(f, "n"));
	if (!text)
		text = "the registry client failed";
	int r = ref && code ? translate(code, text, ref, e) : 0;

	if (r < 0)
		return r;
	return err_set(e,
		       !ref && (kind == ERR_UNAUTHORIZED || (code && streq(code, "UNAUTHORIZED")))
			       ? ERR_UNAUTHORIZED
		       : kind == ERR_NOT_FOUND ? ERR_NOT_FOUND
		       : kind == ERR_INVALID   ? ERR_INVALID
					       : ERR_INTERNAL,
		       EIO, "%s", text);
}
