/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mountpoint.h - the places in a root that the runtime makes to mount over
 *
 * Docker prepares them below a container's writable layer; we leave that to the runtime, so they
 * lie in the upper directory and must not count as the container's changes.
 */
#pragma once

#include <stdbool.h>

/* @path below the root, without a slash before it: "etc/hosts" */
bool mountpoint_is(const char *path);
