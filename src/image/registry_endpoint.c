/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_endpoint.c - where a registry's name leads */
#include "image/registry_endpoint.h"

#include <string.h>

#include "base/str.h"

#define ADDRESSES_MAX 16

void registry_endpoints_free(struct registry_endpoint *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].url);
		free(v[i].host);
	}
	free(v);
}

/* ---- what is insecure ---- */

/* "host:5000", "[::1]:5000" -> the host alone, malloc'ed */
static char *host_only(const char *domain)
{
	const char *end;

	if (*domain == '[') {
		end = strchr(domain, ']');
		return end ? strndup(domain + 1, (size_t)(end - domain - 1)) : strdup(domain);
	}
	end = strrchr(domain, ':');
	return end ? strndup(domain, (size_t)(end - domain)) : strdup(domain);
}

static bool in_any(const struct ip *addr, size_t n, struct cidr c)
{
	for (size_t i = 0; i < n; i++)
		if (cidr_has(c, addr[i]))
			return true;
	return false;
}

static const char *without_scheme(const char *entry)
{
	if (str_has_prefix(entry, "http://"))
		return entry + strlen("http://");
	return str_has_prefix(entry, "https://") ? entry + strlen("https://") : entry;
}

static int is_insecure(const char *domain, char *const *list, registry_lookup_fn lookup)
{
	static const char *const always[] = {"127.0.0.0/8", "::1/128"};
	auto_free char *host = host_only(domain);
	struct ip addr[ADDRESSES_MAX];
	struct cidr c;
	size_t n;

	if (!host)
		return -ENOMEM;
	for (char *const *l = list; l && *l; l++)
		if (streq(without_scheme(*l), domain))
			return true;
	n = ip_parse(host, &addr[0]) >= 0 ? 1 : lookup(host, addr, ADDRESSES_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(always); i++)
		if (cidr_parse(always[i], &c) >= 0 && in_any(addr, n, c))
			return true;
	for (char *const *l = list; l && *l; l++)
		if (cidr_parse(*l, &c) >= 0 && in_any(addr, n, c))
			return true;
	return false;
}

/* ---- the list ---- */

struct endpoints {
	struct registry_endpoint *v;
	size_t n;
};

static int add(struct endpoints *l, char *url, bool mirror, bool insecure)
{
	struct registry_endpoint *v = reallocarray(l->v, l->n + 1, sizeof(*v));
	const char *host = url ? strstr(url, "://") : NULL;

	if (v)
		l->v = v;
	if (!v || !host) {
		free(url);
		return -ENOMEM;
	}
	while (str_has_suffix(url, "/"))
		url[strlen(url) - 1] = '\0';
	host += strlen("://");
	v[l->n] = (struct registry_endpoint){.url = url,
					     .host = strndup(host, strcspn(host, "/")),
					     .mirror = mirror,
					     .insecure = insecure};
	return v[l->n++].host ? 0 : -ENOMEM;
}

static int add_all(struct endpoints *l, const char *domain, char *const *insecure,
		   char *const *mirrors, registry_lookup_fn lookup)
{
	bool hub = streq(domain, "docker.io");
	int r = 0;

	for (; r >= 0 && hub && mirrors && *mirrors; mirrors++) {
		auto_free char *host = NULL;
		const char *at = strstr(*mirrors, "://");

		host = at ? strndup(at + 3, strcspn(at + 3, "/")) : NULL;
		r = host ? is_insecure(host, insecure, lookup) : -ENOMEM;
		if (r >= 0)
			r = add(l, strdup(*mirrors), true, r > 0);
	}
	if (r < 0 || hub)
		return r < 0 ? r : add(l, strdup("https://registry-1.docker.io"), false, false);
	r = is_insecure(domain, insecure, lookup);
	if (r < 0)
		return r;
	bool plain = r > 0;

	r = add(l, str_printf("https://%s", domain), false, plain);
	return r < 0 || !plain ? r : add(l, str_printf("http://%s", domain), false, true);
}

int registry_endpoints(const char *domain, char *const *insecure, char *const *mirrors,
		       registry_lookup_fn lookup, struct registry_endpoint **ret, size_t *ret_n,
		       struct err *e)
{
	struct endpoints l = {0};

	if (add_all(&l, domain, insecure, mirrors, lookup) < 0) {
		registry_endpoints_free(l.v, l.n);
		return err_nomem(e);
	}
	*ret = l.v;
	*ret_n = l.n;
	return 0;
}

/* ---- options ---- */

int registry_mirror_check(const char *url, struct err *e)
{
	const char *host = strstr(url, "://");
	size_t n = host ? strcspn(host + 3, "/?#@") : 0;

	if (!host || !n)
		return err_invalid(e, "invalid mirror: \"%.200s\" is not a valid URI", url);
	if (!str_has_prefix(url, "http://") && !str_has_prefix(url, "https://"))
		return err_invalid(e, "invalid mirror: unsupported scheme \"%.*s\" in \"%.200s\"",
				   (int)MIN(host - url, 60), url, url);
	if (host[3 + n] == '@')
		return err_invalid(e, "invalid mirror: username/password not allowed in URI");
	if (strpbrk(host + 3, "?#"))
		return err_invalid(
			e, "invalid mirror: query or fragment at end of the URI \"%.200s\"", url);
	return 0;
}

int registry_insecure_check(const char *entry, struct err *e)
{
	const char *host = without_scheme(entry);
	struct cidr c;

	if (cidr_parse(entry, &c) >= 0)
		return 0;
	if (!*host || *host == '-' || host[strlen(host) - 1] == '-')
		return err_invalid(e, "Cannot use insecure registry: invalid index name (%.200s)",
				   entry);
	if (strchr(host, '/'))
		return err_invalid(e, "insecure registry %.200s should not contain '://'", entry);
	return 0;
}
