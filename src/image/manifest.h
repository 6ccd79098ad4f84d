/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manifest.h - the JSON files of image archives, read strictly; pure, fuzzed
 *
 * Docker-archive: manifest.json. OCI layout: index.json, nested indexes, manifests. Both: the image
 * config. Sources: moby image/tarexport, OCI image-spec (image-layout, image-index, manifest,
 * config).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct archive_image { /* names are paths in the archive, or digests in an OCI layout */
	char *config;
	char **tags;
	char **layers; /* base first */
};
void archive_images_free(struct archive_image *v, size_t n);

/* manifest.json of a docker-archive */
int manifest_docker(const char *text, size_t len, struct archive_image **ret, size_t *ret_n,
		    struct err *e) MUST_CHECK;

struct oci_entry { /* one descriptor of an index */
	char *digest;
	char *name; /* the image's name, or NULL */
	bool is_index;
};
void oci_entries_free(struct oci_entry *v, size_t n);

/* index.json, or an index below it: manifests for this machine (or without a platform), no
 * attestations. @machine is Go's word ("amd64"). */
int manifest_oci_index(const char *text, size_t len, const char *machine, struct oci_entry **ret,
		       size_t *ret_n, struct err *e) MUST_CHECK;
/* an image manifest: config and layers as digests */
int manifest_oci(const char *text, size_t len, struct archive_image *ret, struct err *e) MUST_CHECK;

/* rootfs.diff_ids of a config, each a checked digest; may be empty (NULL) */
int config_diff_ids(const json_t *config, char ***ret, struct err *e) MUST_CHECK;

/* Go's name of this machine's architecture ("amd64", "arm64", ...) */
const char *machine_name(void);
