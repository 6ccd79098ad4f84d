/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refname.c - image names; what is wrong with one the engine says */
#include "cli/refname.h"

#include <string.h>

#include "cli/cli.h"

static bool is_domain(const char *s, size_t n)
{
	return n && (memchr(s, '.', n) || memchr(s, ':', n) ||
		     (n == strlen("localhost") && !strncmp(s, "localhost", n)));
}

struct refname refname_parse(const char *s)
{
	struct refname r = {0};
	const char *slash = strchr(s, '/'), *at = strchr(s, '@'), *end = at ? at : s + strlen(s);
	bool domain = slash && is_domain(s, (size_t)(slash - s));
	const char *rest = domain ? slash + 1 : s, *colon = memchr(rest, ':', (size_t)(end - rest));
	const char *stop = colon ? colon : end;

	r.domain = domain ? strndup(s, (size_t)(slash - s)) : strdup("docker.io");
	if (need(r.domain) && streq(r.domain, "index.docker.io"))
		(void)str_set(&r.domain, "docker.io"); /* shorter: there is room */
	r.path =
		str_printf("%s%.*s",
			   streq(r.domain, "docker.io") && !memchr(rest, '/', (size_t)(stop - rest))
				   ? "library/"
				   : "",
			   (int)(stop - rest), rest);
	r.tag = colon ? strndup(colon + 1, (size_t)(end - colon - 1)) : strdup("");
	r.digest = strdup(at ? at + 1 : "");
	(void)need(r.path);
	(void)need(r.tag);
	(void)need(r.digest);
	return r;
}

void refname_done(struct refname *r)
{
	free(r->domain);
	free(r->path);
	free(r->tag);
	free(r->digest);
}

char *refname_whole(const struct refname *r)
{
	return need(str_printf("%s/%s%s%s%s%s", r->domain, r->path, *r->tag ? ":" : "", r->tag,
			       *r->digest ? "@" : "", r->digest));
}

const char *refname_server(const char *domain)
{
	return streq(domain, "docker.io") ? "https://index.docker.io/v1/" : domain;
}
