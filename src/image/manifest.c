/* SPDX-License-Identifier: GPL-2.0-or-later */
/* manifest.c - the JSON files of image archives */
#include "image/manifest.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/chain.h"

void archive_images_free(struct archive_image *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].config);
		strv_free(v[i].tags);
		strv_free(v[i].layers);
	}
	free(v);
}

void oci_entries_free(struct oci_entry *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(v[i].digest);
		free(v[i].name);
	}
	free(v);
}

static int check_layers(size_t n, struct err *e)
{
	return n <= LIMIT_LAYERS ? 0
				 : err_invalid(e, "the image has %zu layers, at most %d are taken",
					       n, LIMIT_LAYERS);
}

static int docker_one(const json_t *j, struct archive_image *out, struct err *e)
{
	static const char owner[] = "manifestItem";
	const char *config = NULL;

	if (!json_is_object(j))
		return err_invalid(e, "invalid manifest.json: an item is no object");
	int r = json_get_str(j, owner, "Config", &config, e);

	if (r >= 0 && str_empty(config))
		r = err_invalid(e, "invalid manifest.json: an item has no Config");
	if (r >= 0)
		r = json_get_strv(j, owner, "RepoTags", false, &out->tags, e);
	if (r >= 0)
		r = json_get_strv(j, owner, "Layers", false, &out->layers, e);
	if (r >= 0)
		r = check_layers(strv_len(out->layers), e);
	if (r < 0)
		return r;
	return str_set(&out->config, config) < 0 ? err_nomem(e) : 0;
}

int manifest_docker(const char *text, size_t len, struct archive_image **ret, size_t *ret_n,
		    struct err *e)
{
	auto_json json_t *j = NULL;
	int r = json_read(text, len, &j, e);

	if (r < 0)
		return err_wrap(e, "manifest.json");
	if (!json_is_array(j) || json_array_size(j) == 0)
		return err_invalid(e, "invalid manifest.json: not a list of images");
	size_t n = json_array_size(j);
	struct archive_image *v = calloc(n, sizeof(*v));

	if (!v)
		return err_nomem(e);
	for (size_t i = 0; i < n && r >= 0; i++)
		r = docker_one(json_array_get(j, i), &v[i], e);
	if (r < 0) {
		archive_images_free(v, n);
		return r;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

static int get_digest(const json_t *descriptor, const char **ret, struct err *e)
{
	const char *digest = NULL;

	if (!json_is_object(descriptor))
		return err_invalid(e, "a descriptor is no object");
	int r = json_get_str(descriptor, "Descriptor", "digest", &digest, e);

	if (r < 0)
		return r;
	if (!digest_ok(digest))
		return err_invalid(e, "invalid digest %.100s", digest ? digest : "(none)");
	*ret = digest;
	return 0;
}

/* the image's name: containerd's and Docker's annotation, or OCI's where it holds a whole name */
static const char *entry_name(const json_t *descriptor)
{
	const json_t *a = json_get(descriptor, "annotations");
	const char *name = json_string_value(json_get(a, "io.containerd.image.name"));

	if (name)
		return name;
	name = json_string_value(json_get(a, "org.opencontainers.image.ref.name"));
	return name && strpbrk(name, "/:") ? name : NULL;
}

static bool wanted(const json_t *descriptor, const char *machine)
{
	const json_t *p = json_get(descriptor, "platform");
	const char *os = json_string_value(json_get(p, "os"));
	const char *arch = json_string_value(json_get(p, "architecture"));

	if (json_get(json_get(descriptor, "annotations"), "vnd.docker.reference.type"))
		return false;
	return (!os || streq(os, "linux")) && (!arch || streq(arch, machine));
}

static int index_one(const json_t *j, const char *machine, struct oci_entry *out, struct err *e)
{
	const char *digest = NULL, *type = NULL;
	int r = get_digest(j, &digest, e);

	if (r >= 0)
		r = json_get_str(j, "Descriptor", "mediaType", &type, e);
	if (r < 0)
		return r;
	if (!wanted(j, machine))
		return 0;
	out->is_index = streq(type, "application/vnd.oci.image.index.v1+json") ||
			streq(type, "application/vnd.docker.distribution.manifest.list.v2+json");
	if (str_set(&out->digest, digest) < 0 || str_set(&out->name, entry_name(j)) < 0)
		return err_nomem(e);
	return 1;
}

int manifest_oci_index(const char *text, size_t len, const char *machine, struct oci_entry **ret,
		       size_t *ret_n, struct err *e)
{
	auto_json json_t *j = NULL;
	json_t *list = NULL;
	int r = json_read(text, len, &j, e);

	if (r >= 0 && !json_is_object(j))
		r = err_invalid(e, "not an object");
	if (r >= 0)
		r = json_get_arr(j, "Index", "manifests", &list, e);
	if (r < 0)
		return err_wrap(e, "image index");
	size_t n = json_array_size(list), used = 0;
	struct oci_entry *v = calloc(n + 1, sizeof(*v));

	if (!v)
		return err_nomem(e);
	for (size_t i = 0; i < n && r >= 0; i++) {
		r = index_one(json_array_get(list, i), machine, &v[used], e);
		used += r != 0; /* a failed one may hold memory too */
	}
	if (r < 0) {
		oci_entries_free(v, used);
		return err_wrap(e, "image index");
	}
	*ret = v;
	*ret_n = used;
	return 0;
}

static int oci_fill(const json_t *j, struct archive_image *out, struct err *e)
{
	json_t *layers = NULL;
	const char *digest = NULL;

	if (!json_is_object(j))
		return err_invalid(e, "not an object");
	int r = get_digest(json_get(j, "config"), &digest, e);

	if (r < 0)
		return err_wrap(e, "config");
	if (str_set(&out->config, digest) < 0)
		return err_nomem(e);
	r = json_get_arr(j, "Manifest", "layers", &layers, e);
	if (r >= 0)
		r = check_layers(json_array_size(layers), e);
	for (size_t i = 0; r >= 0 && i < json_array_size(layers); i++) {
		r = get_digest(json_array_get(layers, i), &digest, e);
		if (r >= 0 && strv_add(&out->layers, digest) < 0)
			r = err_nomem(e);
	}
	return r;
}

int manifest_oci(const char *text, size_t len, struct archive_image *ret, struct err *e)
{
	auto_json json_t *j = NULL;
	struct archive_image *out = calloc(1, sizeof(*out));

	if (!out)
		return err_nomem(e);
	int r = json_read(text, len, &j, e);

	if (r >= 0)
		r = oci_fill(j, out, e);
	if (r < 0) {
		archive_images_free(out, 1);
		return err_wrap(e, "image manifest");
	}
	*ret = *out;
	free(out);
	return 0;
}

int config_diff_ids(const json_t *config, char ***ret, struct err *e)
{
	json_t *rootfs = NULL;
	auto_strv char **ids = NULL;

	if (!json_is_object(config))
		return err_invalid(e, "invalid image config: not an object");
	int r = json_get_obj(config, "Image", "rootfs", &rootfs, e);

	if (r >= 0 && !rootfs)
		r = err_invalid(e, "invalid image config: no rootfs");
	if (r >= 0)
		r = json_get_strv(rootfs, "RootFS", "diff_ids", false, &ids, e);
	if (r >= 0)
		r = check_layers(strv_len(ids), e);
	for (size_t i = 0; r >= 0 && ids && ids[i]; i++)
		if (!digest_ok(ids[i]))
			r = err_invalid(e, "invalid image config: diff id %.100s", ids[i]);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(ids);
	return 0;
}

const char *machine_name(void)
{
	static const struct {
		const char *kernel, *go;
	} names[] = {
		{"x86_64", "amd64"}, {"aarch64", "arm64"},   {"armv7l", "arm"},
		{"armv6l", "arm"},   {"i686", "386"},	     {"ppc64le", "ppc64le"},
		{"s390x", "s390x"},  {"riscv64", "riscv64"}, {"loongarch64", "loong64"},
	};
	struct utsname u;

	if (uname(&u) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (streq(u.machine, names[i].kernel))
				return names[i].go;
	return "unknown";
}
