/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_reload.c - daemon.json read again (SIGHUP): what may change while the engine runs
 *
 * The command line and the file are read as at a start, into a second configuration; of what
 * differs the live options are exchanged, the others are named. A file that is wrong changes
 * nothing.
 */

#include <string.h>

#include "base/str.h"
#include "engine/options.h"

/* dockerd's list, as far as the options are there */
static const char *const live[] = {
	"debug",
	"insecure-registry",
	"label",
	"log-level",
	"max-concurrent-downloads",
	"max-concurrent-uploads",
	"max-download-attempts",
	"registry-mirror",
	"shutdown-timeout",
};

static bool is_live(const struct option *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(live); i++)
		if (streq(o->flag, live[i]))
			return true;
	return false;
}

static bool same_list(char *const *a, char *const *b)
{
	size_t n = strv_len(a);

	if (n != strv_len(b))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!streq(a[i], b[i]))
			return false;
	return true;
}

static bool same(const struct option *o, const struct daemon_config *a,
		 const struct daemon_config *b)
{
	const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;

	switch (o->kind) {
	case OPT_BOOL:
		return *(const bool *)x == *(const bool *)y;
	case OPT_TRISTATE:
		return *(const enum tristate *)x == *(const enum tristate *)y;
	case OPT_STR:
		return streq(*(char *const *)x, *(char *const *)y);
	case OPT_LIST:
	case OPT_POOL:
		return same_list(*(char **const *)x, *(char **const *)y);
	case OPT_U32:
		return *(const uint32_t *)x == *(const uint32_t *)y;
	case OPT_LEVEL:
		return a->log_level == b->log_level;
	case OPT_FORMAT:
		return a->log_json == b->log_json;
	case OPT_NETOPT:
		return a->network_opts == b->network_opts ||
		       json_equal(a->network_opts, b->network_opts);
	case OPT_LOGOPT:
		return a->log_opts == b->log_opts || json_equal(a->log_opts, b->log_opts);
	case OPT_ALWAYS:
	case OPT_PROXIES:
	case OPT_IGNORED:
	case OPT_IGNORED_BOOL:
	case OPT_REFUSED:
	case OPT_REFUSED_BOOL:
		break;
	}
	return true; /* without effect, before as after */
}

#define SWAP(type, x, y)                                                                           \
	do {                                                                                       \
		type swap_ = *(type *)(x);                                                         \
		*(type *)(x) = *(type *)(y);                                                       \
		*(type *)(y) = swap_;                                                              \
	} while (0)

/* Of the kinds that live options have. */
static void exchange(const struct option *o, struct daemon_config *a, struct daemon_config *b)
{
	void *x = (char *)a + o->offset, *y = (char *)b + o->offset;

	if (o->kind == OPT_BOOL)
		SWAP(bool, x, y);
	else if (o->kind == OPT_STR)
		SWAP(char *, x, y);
	else if (o->kind == OPT_LIST)
		SWAP(char **, x, y);
	else if (o->kind == OPT_U32)
		SWAP(uint32_t, x, y);
	else if (o->kind == OPT_LEVEL)
		SWAP(enum log_level, &a->log_level, &b->log_level);
}

int daemon_config_reload(struct daemon_config *c, int argc, char **argv, char ***ret_changed,
			 char ***ret_refused, struct err *e)
{
	struct daemon_config fresh;
	int r = daemon_config_read(&fresh, argc, argv, e);

	*ret_changed = *ret_refused = NULL;
	if (r < 0)
		return r;
	for (size_t i = 0; r >= 0 && i < n_options; i++) {
		const struct option *o = &options[i];

		if (same(o, c, &fresh))
			continue;
		r = strv_add(is_live(o) ? ret_changed : ret_refused, option_key(o));
		if (r >= 0 && is_live(o))
			exchange(o, c, &fresh);
	}
	daemon_config_done(&fresh);
	return r < 0 ? err_nomem(e) : 0;
}
