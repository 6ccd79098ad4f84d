/* SPDX-License-Identifier: GPL-2.0-or-later */
/* commands.h - the commands, for table.c; and what families of them share */
#pragma once

#include "cli/cli.h"
#include "cli/units.h"

extern const struct command cmd_attach, cmd_build, cmd_commit, cmd_container_inspect,
	cmd_container_prune, cmd_context_create, cmd_context_inspect, cmd_context_ls,
	cmd_context_rm, cmd_context_show, cmd_context_use, cmd_cp, cmd_create, cmd_dial_stdio,
	cmd_diff, cmd_events, cmd_exec, cmd_export, cmd_history, cmd_image_inspect, cmd_image_prune,
	cmd_images, cmd_import, cmd_info, cmd_inspect, cmd_kill, cmd_load, cmd_login, cmd_logout,
	cmd_logs, cmd_network_connect, cmd_network_create, cmd_network_disconnect,
	cmd_network_inspect, cmd_network_ls, cmd_network_prune, cmd_network_rm, cmd_pause, cmd_port,
	cmd_ps, cmd_pull, cmd_push, cmd_rename, cmd_restart, cmd_rm, cmd_rmi, cmd_run, cmd_save,
	cmd_search, cmd_start, cmd_stats, cmd_stop, cmd_system_df, cmd_system_prune, cmd_tag,
	cmd_top, cmd_unpause, cmd_update, cmd_version, cmd_volume_create, cmd_volume_inspect,
	cmd_volume_ls, cmd_volume_prune, cmd_volume_rm, cmd_wait;

/* ---- pull (cmd_registry.c) ---- */
/* fetches an image, its progress on @out; @platform NULL: the engine's */
int pull_image(struct cli *cli, const char *name, const char *platform, bool all, bool quiet,
	       FILE *out, struct err *e) MUST_CHECK;

/* ---- prune ---- */
struct prune {
	const char *path, *warning;
	const char *key, *title; /* the list in the answer */
	bool space;		 /* SpaceReclaimed is in the answer */
	char *const *filters;	 /* NULL: those of --filter */
};
/* options "force" and "filter" are in the command's table */
int prune(struct cli *cli, const struct args *a, const struct prune *p, struct err *e) MUST_CHECK;

/* the request and what it prints, of p->filters alone; adds to @sum */
int prune_part(struct cli *cli, const struct prune *p, int64_t *sum, struct err *e) MUST_CHECK;

/* ---- inspect ---- */
/* option "format" is in the command's table; @kinds: "container", "image", "network", "volume" in
 * the order they are tried */
int inspect(struct cli *cli, const struct args *a, const char *const *kinds,
	    struct err *e) MUST_CHECK;
/* one object of @kind, ERR_NOT_FOUND if there is none */
int inspect_one(struct cli *cli, const char *kind, const char *name, bool size, json_t **ret,
		struct err *e) MUST_CHECK;

/* GET @url; the list (in @key, or the answer itself) ordered by "Name", a row of each */
int rows_by_name(struct cli *cli, const struct buf *url, const char *key,
		 json_t *(*row)(const json_t *o, bool whole), bool whole, json_t **ret,
		 struct err *e) MUST_CHECK;

/* ---- sessions: attached input and output (session.c) ---- */
struct session {
	struct cli *cli;
	const char *id;		 /* container, or exec */
	const char *attach;	 /* target of the hijacked POST, and its body (NULL: none) */
	const char *body;	 /* ... of an exec */
	const char *condition;	 /* of wait: "next-exit", "removed", "not-running"; NULL: no wait */
	const char *resize;	 /* "/containers/%/resize", "/exec/%/resize" */
	const char *detach_keys; /* NULL: ctrl-p,ctrl-q */
	bool tty, in, proxy;	 /* proxy: signals go to the container */
	int (*start)(struct session *s, struct err *e); /* once attached and waited for; NULL */
	void *data;
};
/* Attaches, waits, starts, pumps to the end. Return: the exit code (0 after detaching or without a
 * wait), or -errno */
int session_run(struct session *s, struct err *e) MUST_CHECK;
/* docker's refusal of -t with an input that is none */
int session_check_tty(bool tty, bool in, struct err *e) MUST_CHECK;
/* 125, 126 or 127 by the text of a failed start */
int exit_code_of(const struct err *e);
