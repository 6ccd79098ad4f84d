/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - what the files of this folder share */
#pragma once

#include "netlink/msg.h"
#include "netlink/rtnl.h"

struct rtnl {
	struct nlsock s;
};

/* r >= 0: 0; else e filled: "<verb> <name>: <strerror> (<kernel's text>)" */
int rtnl_fail(struct rtnl *nl, int r, struct err *e, const char *verb, const char *name);
struct nlmsghdr *rtnl_link_msg(struct rtnl *nl, uint16_t type, uint16_t flags, int ifindex);
