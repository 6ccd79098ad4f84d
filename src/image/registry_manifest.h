/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_manifest.h - manifests as registries serve them, and platforms; pure, fuzzed
 *
 * Sources: OCI image-spec manifest.md and image-index.md; distribution's image manifest version 2
 * schema 2 (manifest lists too); containerd/platforms for what fits what.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/chain.h"

#define TYPE_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define TYPE_DOCKER_LIST     "application/vnd.docker.distribution.manifest.list.v2+json"
#define TYPE_DOCKER_SCHEMA1  "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define TYPE_OCI_MANIFEST    "application/vnd.oci.image.manifest.v1+json"
#define TYPE_OCI_INDEX	     "application/vnd.oci.image.index.v1+json"
#define TYPE_DOCKER_CONFIG   "application/vnd.docker.container.image.v1+json"
#define TYPE_DOCKER_LAYER    "application/vnd.docker.image.rootfs.diff.tar.gzip"

struct platform { /* "" where not said */
	char os[32], arch[32], variant[16];
};
/* "linux/arm64/v8", "linux/amd64", "arm64", "linux"; containerd's text */
int platform_parse(const char *s, struct platform *ret, struct err *e) MUST_CHECK;
struct platform platform_here(void);
void platform_text(const struct platform *p, char out[96]); /* "linux/arm64/v8" */
/* how well @have serves @want: 0 not at all, more is better */
int platform_score(const struct platform *want, const struct platform *have);

struct descriptor {
	char digest[DIGEST_SIZE];
	char *media_type; /* never NULL */
	int64_t size;
	char **urls; /* of a layer that registries do not keep; NULL none */
	struct platform platform;
};

struct registry_manifest {
	char *media_type;
	bool is_index;
	struct descriptor config;   /* of an image */
	struct descriptor *entries; /* layers, base first; or an index's manifests */
	size_t n;
};
/* @content_type as the answer said (may be NULL). Refuses schema 1 (with Docker's text, @shown is
 * the image's name), more than LIMIT_LAYERS layers, sizes and digests out of range */
int registry_manifest_parse(const char *text, size_t len, const char *content_type,
			    const char *shown, struct registry_manifest *ret,
			    struct err *e) MUST_CHECK;
void registry_manifest_done(struct registry_manifest *m);
/* the entry of an index for @want, NULL with Docker's text */
const struct descriptor *registry_manifest_choose(const struct registry_manifest *m,
						  const struct platform *want, struct err *e);
