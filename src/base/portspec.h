/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * portspec.h - port texts: "80", "80/tcp", "8000-8010/udp", and -p's
 * "[ip:][host[-end]:]port[-end][/proto]", an IPv6 address in brackets
 *
 * Pure; fuzzed; the API (ExposedPorts, PortBindings) and the CLI (-p) share it through base types.
 * Error texts are Docker's (docker/go-connections nat): "invalid containerPort: x", "invalid
 * hostPort: x", "invalid proto: x", "invalid ranges specified for container and host Ports: a and
 * b", "no port specified: x<empty>".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

struct net_publish {		 /* one -p: container port range to host range */
	uint8_t proto;		 /* IPPROTO_* */
	uint16_t port, port_end; /* container, inclusive */
	struct ip host_ip;	 /* not set: none was named */
	uint16_t host_port,
		host_port_end; /* 0: ephemeral; a wider host range than needed: first free */
};

int port_parse(const char *s, uint8_t *ret_proto, uint16_t *ret_port, uint16_t *ret_end,
	       struct err *e) MUST_CHECK;
int publish_parse(const char *s, struct net_publish *ret, struct err *e) MUST_CHECK;
#define PUBLISH_STR 96
const char *publish_str(const struct net_publish *p, char out[PUBLISH_STR]); /* and back */
const char *proto_name(uint8_t proto); /* "tcp", "udp", "sctp" */
