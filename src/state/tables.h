/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tables.h - the rows that survive: networks, endpoints, ports, containers, images, volumes
 *
 * One .c file a table. put inserts or replaces by key; del of an absent row is fine; each calls @fn
 * with a borrowed row, oldest first (created_ns, id); a non-zero return ends and is returned.
 * All text is UTF-8; *_json is JSON text the owner of the table defines. A UNIQUE clash gives
 * -EEXIST. Writes outside a transaction commit by themselves.
 */
#pragma once

#include "base/ip.h"
#include "state/db.h"

struct network_row {
	const char *id, *name; /* name UNIQUE */
	enum phase phase;
	int64_t created_ns;
	const char *bridge;    /* UNIQUE where not NULL */
	const char *spec_json; /* net/: everything else */
};
int network_put(struct db *d, const struct network_row *r, struct err *e) MUST_CHECK;
int network_del(struct db *d, const char *id,
		struct err *e) MUST_CHECK; /* its endpoints' rows go too (cascade) */
int network_each(struct db *d, int (*fn)(const struct network_row *r, void *data), void *data,
		 struct err *e) MUST_CHECK;

struct endpoint_row {
	const char *id;
	const char *network_id, *container_id; /* UNIQUE together */
	enum phase phase; /* READY: attached in the kernel or resting; MAKING/REMOVING: half-way */
	bool attached;
	struct ip addr[N_FAMILIES]; /* UNIQUE per network where set */
	const char *spec_json;
};
int endpoint_put(struct db *d, const struct endpoint_row *r, struct err *e) MUST_CHECK;
int endpoint_del(struct db *d, const char *id, struct err *e) MUST_CHECK;
int endpoint_each(struct db *d, int (*fn)(const struct endpoint_row *r, void *data), void *data,
		  struct err *e) MUST_CHECK;

struct port_row { /* one published port or range of a running container */
	const char *container_id;
	uint8_t proto;			   /* IPPROTO_* */
	struct ip host_ip;		   /* 0.0.0.0 and :: any of the family */
	uint16_t host_port, host_port_end; /* inclusive */
	uint16_t port;			   /* the container's, of host_port */
};
int port_put(struct db *d, const struct port_row *r,
	     struct err *e) MUST_CHECK; /* key: proto, host_ip, host_port */
int port_del_container(struct db *d, const char *container_id, struct err *e) MUST_CHECK;
int port_each(struct db *d, int (*fn)(const struct port_row *r, void *data), void *data,
	      struct err *e) MUST_CHECK;

struct sandbox_row { /* a container's pinned network namespace */
	const char *container_id;
	uint16_t dns_port;
};
int sandbox_put(struct db *d, const struct sandbox_row *r, struct err *e) MUST_CHECK;
int sandbox_del(struct db *d, const char *container_id, struct err *e) MUST_CHECK;
int sandbox_each(struct db *d, int (*fn)(const struct sandbox_row *r, void *data), void *data,
		 struct err *e) MUST_CHECK;

struct container_row {
	const char *id, *name; /* name UNIQUE, without the slash */
	enum phase phase;
	int64_t created_ns;
	const char *image_id;
	const char *spec_json;	/* Config, HostConfig, networks as asked */
	const char *state_json; /* status, pids, exit code, times, restart count, manual stop */
};
int container_put(struct db *d, const struct container_row *r, struct err *e) MUST_CHECK;
int container_put_state(struct db *d, const char *id, enum phase phase, const char *state_json,
			struct err *e) MUST_CHECK;
int container_del(struct db *d, const char *id, struct err *e) MUST_CHECK;
int container_each(struct db *d, int (*fn)(const struct container_row *r, void *data), void *data,
		   struct err *e) MUST_CHECK;

struct image_row {
	const char *id;	    /* "sha256:<hex of config>" */
	int64_t created_ns; /* when it came here */
	int64_t size;
	const char *layers_json; /* array of chain ids, base first */
	const char *config_json; /* the OCI/Docker image config, verbatim */
	bool hidden; /* deleted by force while containers use its layers: goes with the last one */
};
int image_put(struct db *d, const struct image_row *r, struct err *e) MUST_CHECK;
int image_del(struct db *d, const char *id, struct err *e) MUST_CHECK; /* tags go too */
int image_each(struct db *d, int (*fn)(const struct image_row *r, void *data), void *data,
	       struct err *e) MUST_CHECK;
struct image_step_row { /* goes with its image */
	const char *image_id;
	const char *parent_id; /* "": made from nothing */
	const char *key;       /* of the step that made it from its parent */
};
int image_step_put(struct db *d, const struct image_step_row *r, struct err *e) MUST_CHECK;
int image_step_each(struct db *d, int (*fn)(const struct image_step_row *r, void *data), void *data,
		    struct err *e) MUST_CHECK;
int tag_put(struct db *d, const char *tag /* "docker.io/library/x:latest" canonical */,
	    const char *image_id, struct err *e) MUST_CHECK;
int tag_del(struct db *d, const char *tag, struct err *e) MUST_CHECK;
int tag_each(struct db *d, int (*fn)(const char *tag, const char *image_id, void *data), void *data,
	     struct err *e) MUST_CHECK;

struct volume_row {
	const char *name;
	enum phase phase;
	int64_t created_ns;
	bool anonymous;
	const char *spec_json; /* driver options, labels */
};
int volume_put(struct db *d, const struct volume_row *r, struct err *e) MUST_CHECK;
int volume_del(struct db *d, const char *name, struct err *e) MUST_CHECK;
int volume_each(struct db *d, int (*fn)(const struct volume_row *r, void *data), void *data,
		struct err *e) MUST_CHECK;
