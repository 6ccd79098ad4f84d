/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config.h - what atolld was told: dockerd's flags and daemon.json keys
 *
 * One table of options serves the command line, daemon.json and --help. A key given in both places
 * is refused with dockerd's text. Options that mean nothing here are accepted and said so in the
 * log.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/idmap.h"
#include "base/log.h"
#include "net/net.h"

enum tristate { UNSAID, OFF, ON };

struct daemon_config {
	char **hosts; /* -H; NULL: unix:///run/atoll.sock, or the sockets systemd hands over */
	char *data_root, *exec_root, *pidfile, *config_file;
	enum log_level log_level;
	bool log_json, version, help;
	char **labels;
	char **insecure_registries, **registry_mirrors;
	char *http_proxy, *https_proxy, *no_proxy; /* for registries; NULL: none */
	uint32_t max_downloads, max_uploads, download_attempts;
	char **pools_text; /* --default-address-pool */
	struct net_pool *pools;
	size_t n_pools;
	char *bip, *bip6, *fixed_cidr, *fixed_cidr_v6, *default_gateway, *default_gateway_v6;
	json_t *network_opts; /* --default-network-opt: driver -> {name: value}, or NULL */
	char *log_driver;     /* of containers that name none; NULL: json-file */
	json_t *log_opts;     /* object of strings, or NULL */
	char **host_gateway_ips;
	char *ip, *cgroup_parent, *firewall, *metrics_addr, *group, *init_path;
	char **dns, **dns_search, **dns_opts;
	char *default_ipc_mode, *default_cgroupns_mode, *default_shm_size; /* NULL: Docker's */
	char *seccomp_profile; /* a path, "unconfined" or "builtin"; NULL: builtin */
	/* --userns-remap as given, NULL: off; what it means, uid.n 0: off */
	char *userns_remap;
	struct idmaps remap;
	bool icc, ip_forward, ip_masq, ipv6, init, no_new_privileges;
	uint32_t mtu; /* 0: the uplink's */
	uint32_t shutdown_timeout;
	bool debug;
	enum tristate tls, tlsverify; /* what was said; use daemon_config_tls() */
	char *tlscacert, *tlscert, *tlskey;
	bool validate;	/* --validate: read, say so, end */
	char **ignored; /* accepted, without meaning here */
	char *lib_dir;	/* where atoll-dns, atoll-helper and busybox.tar are; NULL: found beside the
			   program */
};

/* argv and the config file. Return: 0; 1 help or version was asked (fields say which); -errno. Free
 * with daemon_config_done(). */
int daemon_config_read(struct daemon_config *c, int argc, char **argv, struct err *e) MUST_CHECK;
/* TLS on TCP sockets; @ret_verify: clients must show a certificate. As in Docker saying anything of
 * tlsverify switches TLS on */
bool daemon_config_tls(const struct daemon_config *c, bool *ret_verify);
/* Reads both again and exchanges what may change while the engine runs (labels, debug, registries,
 * ...). @ret_changed, @ret_refused: their keys, the caller's; what is refused needs a restart.
 * Return: 0; -errno nothing was changed */
int daemon_config_reload(struct daemon_config *c, int argc, char **argv, char ***ret_changed,
			 char ***ret_refused, struct err *e) MUST_CHECK;
void daemon_config_done(struct daemon_config *c);
void daemon_config_help(void); /* prints the option table to stdout */
