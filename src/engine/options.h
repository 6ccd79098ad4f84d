/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the one table of atolld's options, and setting one from text; for the files of config
 */
#pragma once

#include "engine/config.h"

enum option_kind {
	OPT_BOOL,
	OPT_TRISTATE, /* a switch of which "not said" means something else than off */
	OPT_STR,
	OPT_LIST, /* may be repeated; an array in daemon.json */
	OPT_U32,
	OPT_LEVEL,	  /* log_level */
	OPT_FORMAT,	  /* log_json */
	OPT_POOL,	  /* pools_text; objects in daemon.json */
	OPT_NETOPT,	  /* network_opts; an object of objects in daemon.json */
	OPT_PROXIES,	  /* the three proxies; an object in daemon.json, no flag */
	OPT_LOGOPT,	  /* log_opts; an object in daemon.json */
	OPT_ALWAYS,	  /* a switch that is always on here: off is told in @ignored */
	OPT_IGNORED,	  /* takes a value that means nothing here */
	OPT_IGNORED_BOOL, /* likewise a switch */
	OPT_REFUSED,	  /* takes a value; silence would promise a protection that is not there */
	OPT_REFUSED_BOOL, /* likewise a switch, once it is switched on */
};

struct option {
	const char *flag; /* without the dashes */
	char letter;	  /* 0: none */
	const char *key;  /* in daemon.json, "": not there, NULL: as @flag */
	enum option_kind kind;
	size_t offset;					/* in struct daemon_config */
	int (*check)(const char *value, struct err *e); /* NULL: any */
	const char *help;
};

extern const struct option options[];
extern const size_t n_options;
#define OPTIONS_MAX 160

static inline bool option_is_bool(const struct option *o)
{
	return o->kind == OPT_BOOL || o->kind == OPT_TRISTATE || o->kind == OPT_ALWAYS ||
	       o->kind == OPT_IGNORED_BOOL || o->kind == OPT_REFUSED_BOOL;
}
static inline const char *option_key(const struct option *o)
{
	return o->key ? o->key : o->flag;
}

/* One value for one option, checked. Errors say what is wrong with the value, not where it came
 * from. */
int option_set(struct daemon_config *c, const struct option *o, const char *value,
	       struct err *e) MUST_CHECK;

/* What the command line gave, by index in the table: the text shown when daemon.json has it too. */
struct given {
	char **values[OPTIONS_MAX];
};

/* remap.c: what --userns-remap means, from passwd, group, subuid and subgid; data_root becomes the
 * mapping's own */
int remap_settle(struct daemon_config *c, struct err *e) MUST_CHECK;

/* config_file.c: daemon.json over what is not given by flags. @must: absent is an error */
int config_file_read(struct daemon_config *c, const struct given *g, bool must,
		     struct err *e) MUST_CHECK;
