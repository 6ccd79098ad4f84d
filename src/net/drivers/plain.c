/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plain.c - the drivers without kernel work: "host" (no namespace of its own) and "null" (lo alone)
 */

#include "net/internal.h"

static int nothing(struct net *n, struct network *nw, struct err *e)
{
	(void)n;
	(void)nw;
	(void)e;
	return 0;
}

static void no_destroy(struct net *n, struct network *nw)
{
	(void)n;
	(void)nw;
}

static int no_attach(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	(void)n;
	(void)ep;
	(void)sb;
	(void)e;
	return 0;
}

static void no_detach(struct net *n, struct endpoint *ep, struct sandbox *sb, bool alive)
{
	(void)n;
	(void)ep;
	(void)sb;
	(void)alive;
}

static bool always_whole(struct net *n, const struct endpoint *ep, const struct sandbox *sb)
{
	(void)n;
	(void)ep;
	(void)sb;
	return true;
}

const struct net_driver driver_host = {
	.name = "host",
	.parse = nothing,
	.create = nothing,
	.destroy = no_destroy,
	.attach = no_attach,
	.detach = no_detach,
	.whole = always_whole,
};

const struct net_driver driver_null = {
	.name = "null",
	.parse = nothing,
	.create = nothing,
	.destroy = no_destroy,
	.attach = no_attach,
	.detach = no_detach,
	.whole = always_whole,
};
