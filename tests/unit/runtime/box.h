/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * box.h - a place where a test of runtime/ may really run containers
 *
 * box_enter() puts the test into namespaces of its own (processes, mounts, network, hostname, ipc),
 * with a tmpfs at BOX and a root file system of busybox at BOX_ROOTFS.
 */
#pragma once

#include "base/buf.h"
#include "runtime/internal.h"

#define BOX	   "/run/box" /* on a tmpfs of the box's own */
#define BOX_ROOTFS BOX "/rootfs"
#define BOX_ID	   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

const char *box_enter(bool containers); /* NULL, or why not (for tap_skip_all) */
int box_rootfs(void);			/* makes it; 0/-errno */
struct runtime box_runtime(void);

/* `crun run` of what rt_spec_write() makes of @s. Return: exit code, or -errno with the error in
 * *out */
int box_run(const struct rt_spec *s, struct buf *out);
/* the same with sh -c @script; the output without its last newline, for one use at a time */
const char *box_sh(struct rt_spec *s, const char *script);
