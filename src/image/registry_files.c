/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_files.c - what the registry client may know of the host's files, read beforehand
 *
 * Names: resolv.conf, hosts, nsswitch.conf and their like. Certificates: the system's bundle, and
 * for a registry HOST[:PORT] what /etc/docker/certs.d and /etc/atoll/certs.d hold: *.crt are
 * authorities, NAME.cert with NAME.key is the client's (docs.docker.com, "certificates").
 */
#include <dirent.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "image/registry.h"

#define FILE_MAX_BYTES (4u << 20)
#define BUNDLE_MAX     (16u << 20)

static const char *const folders[] = {"/etc/docker/certs.d", "/etc/atoll/certs.d"};
static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt",
				      "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
				      "/etc/ssl/cert.pem"};

void registry_files_drop(struct registry_files *f)
{
	for (size_t i = 0; i < f->n; i++) {
		explicit_bzero((void *)f->v[i].data, f->v[i].len); /* a key may be among them */
		free((void *)f->v[i].data);
		free((void *)f->v[i].name);
	}
	free(f->v);
	f->v = NULL;
	f->n = 0;
}

void registry_files_done(struct registry_files *f)
{
	registry_files_drop(f);
	for (size_t i = 0; i < f->n_tls; i++) {
		free(f->tls[i].host);
		free(f->tls[i].ca);
		free(f->tls[i].cert);
		free(f->tls[i].key);
	}
	free(f->tls);
	free(f->nameserver);
}

const struct registry_tls *registry_tls_of(const struct registry_files *f, const char *host)
{
	for (size_t i = 0; i < f->n_tls; i++)
		if (streq(f->tls[i].host, host))
			return &f->tls[i];
	return NULL;
}

/* takes the content of @b, whatever comes of it */
static int add(struct registry_files *f, const char *name, struct buf *b)
{
	struct net_file *v = reallocarray(f->v, f->n + 1, sizeof(*v));
	char *copy = strdup(name);
	size_t len = b->len;
	char *data = buf_take(b);

	if (v)
		f->v = v;
	if (!v || !copy || !data) {
		free(copy);
		free(data);
		return -ENOMEM;
	}
	v[f->n++] = (struct net_file){copy, data, len};
	return 0;
}

/* ---- names ---- */

static int note_nameserver(struct registry_files *f, const char *text)
{
	const char *p = strstr(text, "nameserver ");

	if (!p || f->nameserver)
		return 0;
	p += strlen("nameserver ");
	f->nameserver = strndup(p, strcspn(p, " \t\r\n"));
	return f->nameserver ? 0 : -ENOMEM;
}

static int read_names(struct registry_files *f)
{
	static const char *const names[] = {"resolv.conf", "hosts",    "nsswitch.conf",
					    "host.conf",   "gai.conf", "services"};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++) {
		auto_buf struct buf b = BUF_INIT(FILE_MAX_BYTES);
		char path[64];

		(void)snprintf(path, sizeof(path), "/etc/%s", names[i]);
		if (fs_read(path, FILE_MAX_BYTES, &b) < 0)
			continue; /* absent: the resolver's defaults */
		r = i == 0 ? note_nameserver(f, buf_str(&b)) : 0;
		if (r >= 0)
			r = add(f, path + 1, &b);
	}
	return r;
}

/* ---- certificates ---- */

static int read_bundle(struct buf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(bundles); i++)
		if (fs_read(bundles[i], BUNDLE_MAX, out) >= 0)
			break;
	(void)buf_putc(out, '\n'); /* the buffer's error is sticky */
	return buf_err(out);
}

/* NAME.cert and NAME.key of @dir become files of ours */
static int client_pair(struct registry_files *f, struct registry_tls *t, const char *dir,
		       const char *cert, struct err *e)
{
	auto_buf struct buf c = BUF_INIT(FILE_MAX_BYTES), k = BUF_INIT(FILE_MAX_BYTES);
	int stem = (int)(strlen(cert) - strlen(".cert"));
	auto_free char *cert_path = str_printf("%s/%s", dir, cert);
	auto_free char *key_path = str_printf("%s/%.*s.key", dir, stem, cert);

	if (t->cert)
		return 0; /* one is enough */
	if (!cert_path || !key_path)
		return err_nomem(e);
	int r = fs_read(cert_path, FILE_MAX_BYTES, &c);

	if (r < 0)
		return err_sys(e, -r, "open %s", cert_path);
	if (fs_read(key_path, FILE_MAX_BYTES, &k) < 0)
		return err_set(e, ERR_INTERNAL, ENOENT,
			       "missing key %.*s.key for client certificate %s. CA certificates "
			       "must use the extension .crt",
			       stem, cert, cert);
	t->cert = str_printf("cert-%zu.pem", f->n_tls);
	t->key = str_printf("key-%zu.pem", f->n_tls);
	return !t->cert || !t->key || add(f, t->cert, &c) < 0 || add(f, t->key, &k) < 0
		       ? err_nomem(e)
		       : 0;
}

static int one_file(struct registry_files *f, struct registry_tls *t, const char *dir,
		    const char *name, struct buf *ca, struct err *e)
{
	auto_free char *path = str_printf("%s/%s", dir, name);
	int r;

	if (!path)
		return err_nomem(e);
	if (str_has_suffix(name, ".cert"))
		return client_pair(f, t, dir, name, e);
	if (!str_has_suffix(name, ".crt"))
		return 0;
	r = fs_read(path, FILE_MAX_BYTES, ca);
	(void)buf_putc(ca, '\n'); /* likewise */
	return r < 0 ? err_sys(e, -r, "open %s", path) : 0;
}

static int read_folder(struct registry_files *f, struct registry_tls *t, const char *dir,
		       struct buf *ca, struct err *e)
{
	DIR *d = opendir(dir);
	int r = 0;

	if (!d)
		return 0; /* none for this registry */
	for (struct dirent *de; r >= 0 && (de = readdir(d));)
		r = one_file(f, t, dir, de->d_name, ca, e);
	(void)closedir(d);
	return r;
}

static int read_host(struct registry_files *f, const char *host, struct err *e)
{
	struct registry_tls *v = reallocarray(f->tls, f->n_tls + 1, sizeof(*v)), *t;
	auto_buf struct buf ca = BUF_INIT(BUNDLE_MAX);
	int r = 0;

	if (!v)
		return err_nomem(e);
	f->tls = v;
	t = &v[f->n_tls];
	*t = (struct registry_tls){.host = strdup(host), .ca = str_printf("ca-%zu.pem", f->n_tls)};
	f->n_tls++;
	if (!t->host || !t->ca || read_bundle(&ca) < 0)
		return err_nomem(e);
	/* a name from a reference has no slash; ".." is none either */
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(folders) && *host != '.'; i++) {
		auto_free char *dir = str_printf("%s/%s", folders[i], host);

		r = dir ? read_folder(f, t, dir, &ca, e) : err_nomem(e);
	}
	if (r >= 0 && add(f, t->ca, &ca) < 0)
		r = err_nomem(e);
	return r;
}

int registry_files_read(struct registry_files *f, char *const *hosts, struct err *e)
{
	int r = read_names(f) < 0 ? err_nomem(e) : read_host(f, "", e); /* "": all other hosts */

	for (; r >= 0 && hosts && *hosts; hosts++)
		if (!strchr(*hosts, '/') && !registry_tls_of(f, *hosts))
			r = read_host(f, *hosts, e);
	return r;
}
