/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_json.c - what archives and the helper say in JSON: manifests, indexes, configs, report lines
 * (the first byte says which) */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/manifest.h"
#include "image/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void docker(const char *text, size_t len)
{
	struct archive_image *v = NULL;
	struct err e = {0};
	size_t n = 0;
	int r = manifest_docker(text, len, &v, &n, &e);

	check(r == 0 ? n > 0 : e.msg[0] && !v);
	for (size_t i = 0; i < n; i++)
		check(*v[i].config && strv_len(v[i].layers) <= LIMIT_LAYERS);
	archive_images_free(v, n);
}

static void oci_index(const char *text, size_t len)
{
	struct oci_entry *v = NULL;
	struct err e = {0};
	size_t n = 0;
	int r = manifest_oci_index(text, len, "amd64", &v, &n, &e);

	check(r == 0 || (e.msg[0] && !v));
	for (size_t i = 0; i < n; i++)
		check(digest_ok(v[i].digest));
	oci_entries_free(v, n);
}

static void oci(const char *text, size_t len)
{
	struct archive_image *im = calloc(1, sizeof(*im));
	struct err e = {0};

	if (!im)
		return;
	int r = manifest_oci(text, len, im, &e);

	check(r == 0 ? digest_ok(im->config) : e.msg[0] && !im->config);
	for (char **l = im->layers; l && *l; l++)
		check(digest_ok(*l));
	archive_images_free(im, 1);
}

static void config(const char *text, size_t len)
{
	auto_strv char **ids = NULL;
	auto_json json_t *j = NULL;
	struct err e = {0};

	if (json_read(text, len, &j, NULL) < 0)
		return;
	check(config_diff_ids(j, &ids, &e) == 0 || (e.msg[0] && !ids));
}

static void report(const char *text, size_t len)
{
	struct report r;
	int rc = report_new(&r);

	while (rc >= 0 && len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		struct err e = {0};

		rc = report_line(&r, text, n, &e);
		check(rc >= 0 || e.msg[0]);
		n += nl != NULL;
		text += n;
		len -= n;
	}
	for (size_t i = 0; i < r.n_images; i++)
		for (char **l = r.images[i].layers; l && *l; l++)
			check(map_get(r.layers, *l) != NULL);
	report_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const forms[])(const char *, size_t) = {docker, oci_index, oci, config,
							      report};

	if (size < 1)
		return 0;
	forms[data[0] % ARRAY_SIZE(forms)]((const char *)data + 1, size - 1);
	return 0;
}
