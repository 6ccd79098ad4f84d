/* SPDX-License-Identifier: GPL-2.0-or-later */
/* programs.h - where our own helper programs and the built-in image are */
#pragma once

#include "base/auto.h"

struct programs {
	char *dns, *helper, *registry, *shim; /* atoll-dns, atoll-helper, atoll-registry, ... */
	char *builtin;			      /* busybox.tar; NULL: this build has none */
};

/* @lib_dir (or NULL): all of them there; else beside the running program as in the build tree; else
 * where they are installed. Return: 0, -ENOMEM; free with programs_done() */
int programs_find(const char *lib_dir, struct programs *ret) MUST_CHECK;
void programs_done(struct programs *p);

static inline void auto_programs_fn(struct programs *p)
{
	programs_done(p);
}
#define auto_programs __attribute__((cleanup(auto_programs_fn)))
