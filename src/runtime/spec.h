/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec.h - what the files that write an OCI config.json share; Source: OCI runtime-spec 1.0.2 */
#pragma once

#include "base/jsonw.h"
#include "runtime/internal.h"
#include "runtime/users.h"

/* One container's spec while it is written. */
struct spec {
	struct runtime *r;
	const struct rt_spec *s;
	uint64_t caps; /* the final set */
	struct user_ids ids;
	const char *seccomp; /* the section; NULL none */
};

#define SPEC_INIT_TARGET "/sbin/docker-init"
#define SPEC_GROUP_ADD	 "atoll.group-add" /* annotation: --group-add with commas, for execs */

/* spec_process.c */
void process_user(struct jsonw *w, const struct user_ids *ids);
void process_caps(struct jsonw *w, uint64_t caps, uint32_t uid);
int process_env(struct jsonw *w, char *const *env, const char *home);
int spec_process(struct jsonw *w, const struct spec *sp, struct err *e) MUST_CHECK;

/* spec_mounts.c */
int spec_mounts(struct jsonw *w, const struct spec *sp, struct err *e) MUST_CHECK;
const char *spec_propagation(const struct rt_spec *s); /* of the root; NULL: private */
/* makes the working directory where neither the image nor a mount has it, as Docker does */
int spec_make_cwd(const struct rt_spec *s, struct err *e) MUST_CHECK;

/* spec_linux.c */
#define SPEC_SECCOMP "run.oci.seccomp_bpf_data" /* annotation of crun's */
/* the section's text into @out, empty where there is none */
int spec_seccomp(const struct spec *sp, struct buf *out, struct err *e) MUST_CHECK;
int spec_linux(struct jsonw *w, const struct spec *sp, struct err *e) MUST_CHECK;

/* spec_resources.c: linux.resources; @device_rules NULL: an update's file, which has none */
int spec_resources(struct jsonw *w, const struct rt_spec *s, const char *device_rules,
		   struct err *e) MUST_CHECK;

/* spec_devices.c: linux.devices, and the rules for linux.resources.devices */
int spec_devices(struct jsonw *w, struct jsonw *rules, const struct rt_spec *s,
		 struct err *e) MUST_CHECK;
