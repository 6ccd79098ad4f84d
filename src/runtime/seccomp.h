/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seccomp.h - from a seccomp profile in Docker's format to the OCI section linux.seccomp
 *
 * A profile's lines may hold for certain capabilities, architectures and kernels only; the runtime
 * wants the flat list for this container on this machine. Loop thread.
 * Sources: Docker's seccomp profile documentation, OCI runtime-spec config-linux "Seccomp".
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct seccomp_target {
	uint64_t caps;	     /* the container's final capabilities */
	const char *machine; /* as uname -m says: "x86_64" */
	const char *release; /* as uname -r says: "6.1.0-18-amd64" */
};

extern const char seccomp_default[]; /* data/seccomp.json */

/**
 * seccomp_resolve() - the section's JSON text, appended to @out
 * Return: 1; 0 where the profile says nothing (nothing appended); ERR_INVALID "Decoding seccomp
 * profile failed: ...".
 */
int seccomp_resolve(const char *profile, const struct seccomp_target *t, struct buf *out,
		    struct err *e) MUST_CHECK;
