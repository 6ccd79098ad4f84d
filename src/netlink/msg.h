/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * msg.h - a request and its answer on a netlink socket, shared by the verbs of this folder
 *
 * A struct nlsock is one socket with a buffer for the message being built and one for answers.
 * Attributes are written with libmnl's checked writers; a message that does not fit sets @full and
 * the call fails with -EMSGSIZE.
 */
#pragma once

#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define NLSOCK_SEND_BYTES 8192
#define NLSOCK_RECV_BYTES 32768

struct nlsock {
	struct mnl_socket *sock;
	uint32_t seq, port;
	bool full;
	bool torn;     /* something changed during the dump: it may lack entries */
	char ext[256]; /* the kernel's explanation of the last failure */
	_Alignas(8) char out[NLSOCK_SEND_BYTES]; /* messages are read in place */
	_Alignas(8) char in[NLSOCK_RECV_BYTES];
};

int nlsock_open(struct nlsock *s, int bus) MUST_CHECK;
void nlsock_close(struct nlsock *s);
struct nlmsghdr *nlsock_begin(struct nlsock *s, uint16_t type, uint16_t flags);
void nlsock_put(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, const void *data, size_t len);
void nlsock_u32(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, uint32_t value);
void nlsock_u8(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, uint8_t value);
void nlsock_str(struct nlsock *s, struct nlmsghdr *nh, uint16_t type, const char *value);
struct nlattr *nlsock_nest(struct nlsock *s, struct nlmsghdr *nh, uint16_t type);
/* sends what was built and waits for the ack or the dump's end. @cb sees each answer (may be NULL);
 * a dump during which something changed is asked for again: @cb then sees entries once more */
int nlsock_call(struct nlsock *s, struct nlmsghdr *nh, mnl_cb_t cb, void *data) MUST_CHECK;
