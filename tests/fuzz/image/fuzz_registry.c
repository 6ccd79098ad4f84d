/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_registry.c - what registries and clients say (the first byte says what): challenges, ranges,
 * links, error bodies, manifests, X-Registry-Auth, platforms */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "image/registry_auth.h"
#include "image/registry_manifest.h"
#include "image/registry_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void challenge(const char *text)
{
	struct challenge c = {0};

	check(challenge_parse(text, &c) == 0);
	check(c.kind != CHALLENGE_NONE || (!c.realm && !c.service && !c.scope && !c.error));
	challenge_done(&c);
}

static void headers(const char *text)
{
	uint64_t first = 0, last = 0;
	int64_t total = 0;
	auto_free char *next = link_next(text);

	check(!next || strlen(next) < strlen(text));
	if (content_range_parse(text, &first, &last, &total) == 0)
		check(first <= last && (total == -1 || last < (uint64_t)total));
	(void)upload_range_parse(text, &last); /* any answer will do */
}

static void error_body(const char *text, size_t len)
{
	auto_buf struct buf out = BUF_INIT(4096);
	char code[REGISTRY_CODE_SIZE];

	registry_error_text(404, text, len, NULL, code, &out);
	check(out.len && strlen(code) < sizeof(code));
}

static void manifest(const char *text, size_t len)
{
	const struct platform here = platform_here();
	struct registry_manifest m = {0};
	struct err e = {0};
	int r = registry_manifest_parse(text, len, NULL, "x", &m, &e);

	check(r == 0 ? m.media_type != NULL : e.msg[0] && !m.entries);
	for (size_t i = 0; i < m.n; i++)
		check(digest_ok(m.entries[i].digest) && m.entries[i].size >= 0);
	check(m.is_index || m.n <= LIMIT_LAYERS);
	(void)registry_manifest_choose(&m, &here, &e); /* one or none */
	registry_manifest_done(&m);
}

static void auth(const char *text)
{
	auto_buf struct buf basic = BUF_INIT(1 << 20);
	struct registry_auth a = {0};
	struct err e = {0};
	int r = registry_auth_parse(text, &a, &e);

	check(r == 0 || (e.msg[0] && !a.user && !a.password && !a.registry_token));
	if (r == 0) {
		registry_auth_basic(&a, &basic);
		check(!strpbrk(buf_str(&basic), "\r\n"));
		check(!a.registry_token || !strpbrk(a.registry_token, "\r\n"));
	}
	registry_auth_done(&a);
}

static void platform(const char *text)
{
	struct platform p;
	struct err e = {0};
	char out[96];

	if (platform_parse(text, &p, &e) < 0)
		return;
	platform_text(&p, out);
	check(platform_score(&p, &p) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	char *text = malloc(size);

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 6) {
	case 0:
		challenge(text);
		break;
	case 1:
		headers(text);
		break;
	case 2:
		error_body(text, size - 1);
		break;
	case 3:
		manifest(text, size - 1);
		break;
	case 4:
		auth(text);
		break;
	case 5:
		platform(text);
		break;
	}
	free(text);
	return 0;
}
