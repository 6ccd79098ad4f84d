/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * platform.c - operating system, architecture and variant: reading, writing, what fits what
 *
 * Source: containerd/platforms (database.go, compare.go): arm64 is arm64/v8, an arm/v7 machine runs
 * what was made for older ones, amd64 runs 386, arm64 runs 32-bit arm.
 */
#include <ctype.h>
#include <string.h>

#include "base/str.h"
#include "image/manifest.h"
#include "image/registry_manifest.h"

static void set(char *to, size_t room, const char *v)
{
	(void)snprintf(to, room, "%s", v);
}
#define SET(field, v) set((field), sizeof(field), (v))

static void normalize(struct platform *p)
{
	static const struct {
		const char *from, *to, *variant;
	} names[] = {{"x86_64", "amd64", NULL},	 {"x86-64", "amd64", NULL}, {"i386", "386", NULL},
		     {"aarch64", "arm64", NULL}, {"armhf", "arm", "v7"},    {"armel", "arm", "v6"}};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(p->arch, names[i].from)) {
			SET(p->arch, names[i].to);
			if (names[i].variant)
				SET(p->variant, names[i].variant);
			break;
		}
	if (streq(p->arch, "amd64") && streq(p->variant, "v1"))
		*p->variant = '\0';
	if (streq(p->arch, "arm64") && (streq(p->variant, "8") || streq(p->variant, "v8")))
		*p->variant = '\0';
	if (streq(p->arch, "arm") && isdigit((unsigned char)p->variant[0]) && !p->variant[1]) {
		p->variant[1] = p->variant[0];
		p->variant[0] = 'v';
		p->variant[2] = '\0';
	}
	if (streq(p->arch, "arm") && !*p->variant)
		SET(p->variant, "v7");
}

static bool is_os(const char *s)
{
	static const char *const known[] = {"linux", "windows", "darwin", "freebsd", "wasip1"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(s, known[i]))
			return true;
	return false;
}

static bool is_arch(const char *s)
{
	static const char *const known[] = {"amd64",  "386",	 "arm",	   "arm64",    "ppc64le",
					    "s390x",  "riscv64", "mips64", "mips64le", "loong64",
					    "x86_64", "x86-64",	 "i386",   "aarch64",  "armhf",
					    "armel",  "wasm"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (streq(s, known[i]))
			return true;
	return false;
}

struct platform platform_here(void)
{
	struct platform p = {.os = "linux"};

	SET(p.arch, machine_name());
	normalize(&p);
	return p;
}

static bool component_ok(const char *s)
{
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return *s && strlen(s) < sizeof(((struct platform *)0)->os);
}

int platform_parse(const char *s, struct platform *ret, struct err *e)
{
	struct platform p = platform_here();
	auto_strv char **part = NULL;
	size_t n;

	if (strv_split(s, "/", &part) < 0)
		return err_nomem(e);
	n = strv_len(part);
	for (size_t i = 0; i < n; i++) {
		for (char *c = part[i]; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		if (n > 3 || !component_ok(part[i]) || (i == 2 && strlen(part[2]) > 15))
			return err_invalid(e,
					   "\"%.60s\" is an invalid component of \"%.100s\": "
					   "platform specifier component must match "
					   "\"^[A-Za-z0-9_.-]+$\": invalid argument",
					   part[i], s);
	}
	if (n == 1 && is_os(part[0])) {
		SET(p.os, part[0]);
	} else if (n == 1 && is_arch(part[0])) {
		SET(p.arch, part[0]);
		*p.variant = '\0';
	} else if (n < 2) {
		return err_invalid(e,
				   "\"%.100s\": unknown operating system or architecture: "
				   "invalid argument",
				   s);
	} else {
		SET(p.os, part[0]);
		SET(p.arch, part[1]);
		SET(p.variant, n > 2 ? part[2] : "");
	}
	normalize(&p);
	*ret = p;
	return 0;
}

void platform_text(const struct platform *p, char out[96])
{
	bool v8 = streq(p->arch, "arm64") && !*p->variant;

	(void)snprintf(out, 96, "%s/%s%s%s", p->os, p->arch, *p->variant || v8 ? "/" : "",
		       v8 ? "v8" : p->variant);
}

/* v7 -> 7; 0 unknown */
static int level(const char *variant)
{
	return variant[0] == 'v' && isdigit((unsigned char)variant[1]) && !variant[2]
		       ? variant[1] - '0'
		       : 0;
}

int platform_score(const struct platform *want, const struct platform *have)
{
	struct platform h = *have;

	normalize(&h);
	if (!*h.os && !*h.arch)
		return 10; /* an entry that says nothing is for all */
	if (!streq(want->os, h.os))
		return 0;
	if (streq(want->arch, h.arch)) {
		if (streq(want->variant, h.variant))
			return 100;
		if (streq(h.arch, "arm") && level(h.variant) < level(want->variant) &&
		    level(h.variant) >= 5)
			return 50 + level(h.variant);
		/* amd64/v3 runs what is for amd64 */
		return !*h.variant ? 60 : 0;
	}
	if (streq(want->arch, "arm64") && streq(h.arch, "arm"))
		return 20 + level(h.variant);
	return streq(want->arch, "amd64") && streq(h.arch, "386") ? 20 : 0;
}
