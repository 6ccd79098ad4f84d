/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ref.c - image references, by hand-written scanners of the grammar's regular expressions
 *
 * Source: github.com/distribution/reference (regexp.go, normalize.go). One difference: a first
 * component with a dot that is no domain ("a_b.c/x") is refused; there it becomes a name without a
 * domain.
 */
#include "image/ref.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"

#define NAME_MAX_LEN 255
#define TAG_MAX_LEN  128
#define HEX_LEN	     64

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}

static bool has_upper(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_upper(s[i]))
			return true;
	return false;
}

/* [a-zA-Z0-9] with '-' inside, joined by dots */
static bool host_ok(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool edge = i == 0 || s[i - 1] == '.' || i + 1 == len || s[i + 1] == '.';

		if (s[i] == '.' ? edge : !(is_alnum(s[i]) || (s[i] == '-' && !edge)))
			return false;
	}
	return len > 0;
}

/* "host", "host:port", "[v6]:port" */
static bool domain_ok(const char *s, size_t len)
{
	size_t host = len;

	if (len > 0 && s[0] == '[') {
		const char *end = memchr(s, ']', len);

		if (!end || end == s + 1)
			return false;
		for (const char *p = s + 1; p < end; p++)
			if (!is_digit(*p) && *p != ':' &&
			    !((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f'))
				return false;
		host = (size_t)(end + 1 - s);
		if (host < len && s[host] != ':')
			return false;
	} else {
		const char *colon = memchr(s, ':', len);

		if (colon)
			host = (size_t)(colon - s);
		if (!host_ok(s, host))
			return false;
	}
	if (host < len && host + 1 == len)
		return false;
	for (size_t i = host + 1; i < len; i++)
		if (!is_digit(s[i]))
			return false;
	return true;
}

static bool name_char(char c)
{
	return is_lower(c) || is_digit(c);
}

/* [a-z0-9]+ joined by ".", "_", "__" or any number of "-" */
static bool component_ok(const char *s, size_t len)
{
	size_t i = 0;

	if (len == 0 || !name_char(s[0]) || !name_char(s[len - 1]))
		return false;
	while (i < len) {
		size_t sep = i;

		if (name_char(s[i])) {
			i++;
			continue;
		}
		while (i < len && s[i] == s[sep])
			i++;
		if (!name_char(s[i]))
			return false;
		if (!(s[sep] == '-' || (s[sep] == '_' && i - sep <= 2) ||
		      (s[sep] == '.' && i - sep == 1)))
			return false;
	}
	return true;
}

static bool path_ok(const char *s, size_t len)
{
	const char *end = s + len;

	for (;;) {
		const char *slash = memchr(s, '/', (size_t)(end - s));

		if (!component_ok(s, (size_t)((slash ? slash : end) - s)))
			return false;
		if (!slash)
			return true;
		s = slash + 1;
	}
}

static bool tag_ok(const char *s, size_t len)
{
	if (len == 0 || len > TAG_MAX_LEN || s[0] == '.' || s[0] == '-')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && !strchr("_.-", s[i]))
			return false;
	return true;
}

bool image_tag_ok(const char *tag)
{
	return tag_ok(tag, strlen(tag));
}

static int invalid(struct err *e)
{
	return err_invalid(e, "invalid reference format");
}

static int digest_ok(const char *s, struct err *e)
{
	const char *hex = strchr(s, ':');
	size_t len = hex ? strspn(hex + 1, "0123456789abcdefABCDEF") : 0;

	if (!hex || hex == s || hex[1 + len] || len < 32 || !is_alnum(*s) || is_digit(*s))
		return invalid(e);
	if (!str_has_prefix(s, "sha256:"))
		return err_invalid(e, "unsupported digest algorithm");
	if (len != HEX_LEN)
		return err_invalid(e, "invalid checksum digest length");
	if (!str_is_hex(hex + 1))
		return err_invalid(e, "invalid checksum digest format");
	return 0;
}

struct parts { /* borrowed from the text */
	const char *domain;
	size_t domain_len;
	const char *rest, *end; /* path[:tag], before '@' */
	const char *digest;	/* after '@', or NULL */
};

/* the first component is a domain if it looks like no name: a dot, a port, upper case, localhost.
 * Return: its length, 0 none */
static size_t domain_len(const char *s)
{
	const char *slash = strchr(s, '/');
	size_t len = slash ? (size_t)(slash - s) : 0;

	if (len > 0 && (memchr(s, '.', len) || memchr(s, ':', len) || has_upper(s, len) ||
			(len == strlen("localhost") && !strncmp(s, "localhost", len))))
		return len;
	return 0;
}

static void split_domain(const char *s, struct parts *p)
{
	size_t len = domain_len(s);

	*p = (struct parts){.domain = "docker.io", .domain_len = strlen("docker.io"), .rest = s};
	if (len > 0) {
		p->rest = s + len + 1;
		if (len != strlen("index.docker.io") || strncmp(s, "index.docker.io", len) != 0) {
			p->domain = s;
			p->domain_len = len;
		}
	}
	const char *at = strchr(p->rest, '@');

	p->digest = at ? at + 1 : NULL;
	p->end = at ? at : p->rest + strlen(p->rest);
}

static bool is_default_domain(const char *domain, size_t len)
{
	return len == strlen("docker.io") && !strncmp(domain, "docker.io", len);
}

static int fill(struct image_ref *r, const struct parts *p, const char *path, const char *tag)
{
	r->domain = strndup(p->domain, p->domain_len);
	r->path = strdup(path);
	r->tag_given = tag != NULL;
	if (tag)
		r->tag = strndup(tag, (size_t)(p->end - tag));
	else if (!p->digest)
		r->tag = strdup("latest");
	if (p->digest)
		r->digest = strdup(p->digest);
	if (!r->domain || !r->path || (!r->tag && (tag || !p->digest)) || (!r->digest && p->digest))
		return -ENOMEM;
	return 0;
}

static int check(const struct parts *p, const char *path, const char *tag, struct err *e)
{
	if (has_upper(path, strlen(path)))
		return err_invalid(
			e, "invalid reference format: repository name (%s) must be lowercase",
			path);
	if (!domain_ok(p->domain, p->domain_len) || !path_ok(path, strlen(path)) ||
	    (tag && !tag_ok(tag, (size_t)(p->end - tag))))
		return invalid(e);
	if (p->domain_len + 1 + strlen(path) > NAME_MAX_LEN)
		return err_invalid(e, "repository name must not be more than %d characters",
				   NAME_MAX_LEN);
	return p->digest ? digest_ok(p->digest, e) : 0;
}

int image_ref_parse(const char *s, struct image_ref *ret, struct err *e)
{
	struct image_ref out = {0};
	struct parts p;

	if (strlen(s) == HEX_LEN && str_is_hex(s))
		return err_invalid(e,
				   "invalid repository name (%s), cannot specify 64-byte "
				   "hexadecimal strings",
				   s);
	split_domain(s, &p);
	const char *colon = memchr(p.rest, ':', (size_t)(p.end - p.rest));
	const char *path_end = colon ? colon : p.end;
	bool official = is_default_domain(p.domain, p.domain_len) &&
			!memchr(p.rest, '/', (size_t)(path_end - p.rest));
	auto_free char *path =
		str_printf("%s%.*s", official ? "library/" : "", (int)(path_end - p.rest), p.rest);

	if (!path)
		return err_nomem(e);
	int r = check(&p, path, colon ? colon + 1 : NULL, e);

	if (r < 0)
		return r;
	if (fill(&out, &p, path, colon ? colon + 1 : NULL) < 0) {
		image_ref_done(&out);
		return err_nomem(e);
	}
	*ret = out;
	return 0;
}

void image_ref_done(struct image_ref *r)
{
	free(r->domain);
	free(r->path);
	free(r->tag);
	free(r->digest);
	*r = (struct image_ref){0};
}

static char *join(const char *domain, const char *path, const struct image_ref *r)
{
	return str_printf("%s%s%s%s%s%s%s", domain, *domain ? "/" : "", path, r->tag ? ":" : "",
			  r->tag ? r->tag : "", r->digest ? "@" : "", r->digest ? r->digest : "");
}

char *image_ref_canonical(const struct image_ref *r)
{
	return join(r->domain, r->path, r);
}

char *image_ref_familiar(const struct image_ref *r)
{
	const char *path = r->path;

	if (!is_default_domain(r->domain, strlen(r->domain)))
		return join(r->domain, path, r);
	if (str_has_prefix(path, "library/") && !strchr(path + strlen("library/"), '/'))
		path += strlen("library/");
	/* "docker.io/evil.com/x" must not be taken for an image of evil.com */
	return join(domain_len(path) ? r->domain : "", path, r);
}
