/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filters.h - seccomp filters that crun has compiled once
 *
 * Compiling Docker's profile takes crun several ms at each create. It leaves the result in its
 * state
 * ("seccomp.bpf"), and takes one as an annotation, run.oci.seccomp_bpf_data (crun(1)), instead of
 * the section linux.seccomp, which stays in the spec for runtimes that know no such thing.
 * Keyed by the section's text: the same text, the same filter. Loop thread.
 */
#pragma once

#include "base/auto.h"

struct runtime;

/* The filter of a section, in base64, or NULL; then that of container @id is kept for it once
 * filter_learn() is told that it was created. */
const char *filter_find(struct runtime *r, const char *section, const char *id);
void filter_learn(struct runtime *r, const char *id);
void filters_drop(struct runtime *r);
