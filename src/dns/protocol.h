/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * protocol.h - what atolld and atoll-dns must agree on (docs/internals/dns.md has the messages)
 *
 * The messages "hello", "sandbox", "hold", "end" and "quit" never change their meaning: with them
 * any atolld takes the sockets over from any atoll-dns, whatever their versions.
 */
#pragma once

#define DNS_PROTOCOL	1
#define DNS_MESSAGE_MAX (64u << 10) /* one message, so also the names of one endpoint */
