/* SPDX-License-Identifier: GPL-2.0-or-later */
/* target.c - which engine, and how: see target.h */

#include "client/target.h"

#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "client/context.h"

void target_done(struct target *t)
{
	free(t->host);
	free(t->ca);
	free(t->cert);
	free(t->key);
	*t = (struct target){0};
}

/* The host with its scheme, malloc'ed. */
static char *complete_host(const char *host)
{
	if (strstr(host, "://"))
		return strdup(host);
	return str_printf(*host == '/' ? "unix://%s" : "tcp://%s", host);
}

static const char *environment(const char *name)
{
	const char *v = getenv(name);

	return str_empty(v) ? NULL : v;
}

/* ---- the default context ---- */

/* What a flag names, or a file of the certificates' folder if it is there; malloc'ed. */
static char *file_of(const char *said, const char *dir, const char *name)
{
	char *path;

	if (said)
		return strdup(said);
	path = str_printf("%s/%s", dir, name);
	if (path && !fs_exists(path)) {
		free(path);
		path = NULL;
	}
	return path;
}

static int find_files(const struct client_wish *w, struct target *t, struct err *e)
{
	const char *dir = environment("DOCKER_CERT_PATH");
	auto_free char *folder = dir ? strdup(dir) : context_folder();

	if (!folder)
		return err_nomem(e);
	t->ca = file_of(w->ca, folder, "ca.pem");
	t->cert = file_of(w->cert, folder, "cert.pem");
	t->key = file_of(w->key, folder, "key.pem");
	return 0;
}

static int from_words(const struct client_wish *w, struct target *t, struct err *e)
{
	const char *host = w->host;

	if (!host)
		host = environment("ATOLL_HOST");
	if (!host)
		host = environment("DOCKER_HOST");
	t->host = complete_host(host ? host : CLIENT_DEFAULT_HOST);
	if (!t->host)
		return err_nomem(e);
	t->verify = w->verify_said ? w->verify : environment("DOCKER_TLS_VERIFY") != NULL;
	t->tls = t->verify || w->tls || w->verify_said || environment("DOCKER_TLS") != NULL;
	return t->tls ? find_files(w, t, e) : 0;
}

/* ---- a stored one ---- */

static int from_context(const char *name, struct target *t, struct err *e)
{
	struct context c = {0};
	int r = context_load(name, &c, e);

	if (r < 0)
		return r;
	t->host = complete_host(str_empty(c.host) ? CLIENT_DEFAULT_HOST : c.host);
	t->tls = c.ca || c.cert || c.key || c.skip_verify;
	t->verify = !c.skip_verify;
	t->ca = TAKE_PTR(c.ca);
	t->cert = TAKE_PTR(c.cert);
	t->key = TAKE_PTR(c.key);
	context_done(&c);
	return t->host ? 0 : err_nomem(e);
}

int target_find(const struct client_wish *w, struct target *ret, struct err *e)
{
	static const struct client_wish nothing;
	auto_free char *name = NULL;
	int r = 0;

	*ret = (struct target){0};
	w = w ? w : &nothing;
	if (w->context && w->host)
		return err_invalid(e, "conflicting options: cannot specify both --host and "
				      "--context");
	if (w->context)
		name = strdup(w->context);
	else if (w->host)
		name = strdup(CONTEXT_DEFAULT);
	else
		r = context_current(&name, e);
	if (r >= 0 && !name)
		r = err_nomem(e);
	if (r >= 0)
		r = streq(name, CONTEXT_DEFAULT) ? from_words(w, ret, e)
						 : from_context(name, ret, e);
	if (r < 0)
		target_done(ret);
	return r;
}
