/* SPDX-License-Identifier: GPL-2.0-or-later */
/* refname.h - image names as users type them, taken apart; pure */
#pragma once

/* each malloc'ed; @tag and @digest "" where not given. "busybox" is docker.io's library/busybox */
struct refname {
	char *domain, *path, *tag, *digest;
};
struct refname refname_parse(const char *s);
void refname_done(struct refname *r);
char *refname_whole(const struct refname *r); /* "docker.io/library/busybox:latest" */
/* where the credentials for a registry's host are kept: its name, or docker.io's old URL */
const char *refname_server(const char *domain);
