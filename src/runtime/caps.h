/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caps.h - a container's capabilities: Docker's fourteen, --cap-add, --cap-drop, --privileged
 *
 * A set is a bit mask by capability number. Names in any case, with or without "CAP_".
 * Sources: capabilities(7), linux/capability.h. Thread-safe: no state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define CAP_BIT(number) (1ull << (number))

int cap_number(const char *name) MUST_CHECK; /* -EINVAL: no such capability */
const char *cap_name(unsigned number);	     /* "CAP_CHOWN"; NULL beyond the last known */
uint64_t caps_available(void);		     /* what this process may give: its permitted set */
uint64_t caps_default(void);		     /* Docker's default set */

/**
 * caps_resolve() - a container's final set
 * ALL in @add: everything but @drop; ALL in @drop: @add alone; else the default less @drop plus
 * @add. ERR_INVALID "invalid CapAdd: unknown capability: "CAP_X"" and likewise CapDrop.
 */
int caps_resolve(char *const *add, char *const *drop, bool privileged, uint64_t *ret,
		 struct err *e) MUST_CHECK;
