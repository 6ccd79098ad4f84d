/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create.h - a container out of the options of run and create: the body of POST /containers/create
 */
#pragma once

#include "base/jsonw.h"
#include "cli/cli.h"

#define CREATE_OPTIONS 75
extern const struct opt create_options[CREATE_OPTIONS]; /* what run and create share */

#define CREATE_LIFE_OPTIONS 21
extern const struct opt create_life_options[CREATE_LIFE_OPTIONS]; /* health and further limits */

/* what is attached: -a, or standard output and error (and input with -i) */
struct attached {
	bool in, out, err;
};
struct attached create_attached(const struct args *a, bool detach);

/* @version: of the API; the operands are IMAGE [COMMAND] [ARG...]. Fails with the texts of
 * docker's flags. */
int create_body(struct buf *out, const struct args *a, const struct attached *at, unsigned version,
		struct err *e) MUST_CHECK;
int create_host_config(struct jsonw *w, const struct args *a, struct err *e) MUST_CHECK;
/* create_life.c: Healthcheck, and the rarer limits of HostConfig */
int create_health(struct jsonw *w, const struct args *a, struct err *e) MUST_CHECK;
void create_limits(struct jsonw *w, const struct args *a);
/* "on-failure:3" as an object under @key */
int restart_object(struct jsonw *w, const char *key, const char *value, struct err *e) MUST_CHECK;
/* NetworkingConfig */
int create_networks(struct jsonw *w, const struct args *a, unsigned version,
		    struct err *e) MUST_CHECK;
char *create_network_mode(const struct args *a); /* HostConfig.NetworkMode, malloc'ed */
/* ExposedPorts of -p and --expose, and PortBindings of -p */
int create_exposed(struct jsonw *w, const struct args *a, struct err *e) MUST_CHECK;
int create_bindings(struct jsonw *w, const struct args *a, struct err *e) MUST_CHECK;

/* Options that go to the API as they are: each that was given, under its key. */
struct option_key {
	const char *option, *key;
	enum {
		OPTION_TEXT,
		OPTION_LIST,
		OPTION_NUMBER,
		OPTION_BYTES,
		OPTION_SWITCH,
		OPTION_MAP
	} as;
};
void options_json(struct jsonw *w, const struct args *a, const struct option_key *keys, size_t n);

/* ---- spec.c: one value of an option as the API's JSON; pure but for the current directory ---- */
int check_mount(const char *value, struct err *e); /* for struct opt */
int check_ulimit(const char *value, struct err *e);
int check_device(const char *value, struct err *e);
int check_cpus(const char *value, struct err *e);
int check_attach(const char *value, struct err *e);
int check_network(const char *value, struct err *e);
int check_host_entry(const char *value, struct err *e);
void mount_object(struct jsonw *w, const char *value);
void ulimit_object(struct jsonw *w, const char *value);
void device_object(struct jsonw *w, const char *value);
int64_t cpus_nano(const char *value);
/* "a,\"b,c\"" in its fields, as encoding/csv; -EINVAL on a quote that does not close */
int csv_split(const char *s, char ***ret) MUST_CHECK;
/* "./x" and "../x" below the current directory; other texts as they are; malloc'ed */
char *absolute_path(const char *s);
