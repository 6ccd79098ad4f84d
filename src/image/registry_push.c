/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_push.c - blobs and manifests to a registry
 *
 *   {"op":"blob","digest":..,"size":..,"from":["library/x",..]}  is it there, or in another
 *       repository of that registry? -> {"blob":"exists"|"mounted"|"absent"}
 *   the same with a file -> uploaded: {"sent":bytes}.., {"blob":"pushed"}
 *   {"op":"put","reference":..,"type":..,"manifest":"<text>"} -> {"put":{"digest":..}}
 * Source: OCI distribution-spec, "Push": POST then PUT, and mounting.
 */
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "image/registry.h"

struct push {
	const char *digest;
	int64_t size;
	char **from;
};

static int read_blob(const json_t *j, struct push *p, struct err *e)
{
	int r = json_get_str(j, "blob", "digest", &p->digest, e);

	if (r >= 0)
		r = json_get_i64(j, "blob", "size", &p->size, e);
	if (r >= 0)
		r = json_get_strv(j, "blob", "from", false, &p->from, e);
	if (r >= 0 && !digest_ok(p->digest))
		r = err_invalid(e, "no digest");
	return r;
}

static int report_blob(const char *state, struct err *e)
{
	return reg_report(json_pack("{s:s}", "blob", state), e);
}

/* Return: 1 it is there, 0 not, -errno */
static int there(struct registry *r, void *h, const struct push *p, struct err *e)
{
	auto_free char *url = reg_url(r, "blobs/%s", p->digest);
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	char code[REGISTRY_CODE_SIZE];
	int rc;

	if (!url)
		return err_nomem(e);
	c.method = "HEAD";
	c.url = url;
	rc = reg_request(r, h, &c, &a, e);
	if (rc >= 0)
		rc = a.status == 200 ? 1 : a.status == 404 ? 0 : reg_refused(&a, code, e);
	reg_answer_done(&a);
	return rc;
}

/* POST blobs/uploads/. Return: 1 it was mounted, 0 @ret_location is where it goes, -errno */
static int begin_upload(struct registry *r, void *h, const char *query, char **ret_location,
			struct err *e)
{
	auto_free char *url = reg_url(r, "blobs/uploads/%s", query);
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	char code[REGISTRY_CODE_SIZE];
	int rc;

	if (!url)
		return err_nomem(e);
	c.method = "POST";
	c.url = url;
	c.stay = true;
	rc = reg_request(r, h, &c, &a, e);
	if (rc >= 0 && a.status == 201)
		rc = 1;
	else if (rc >= 0 && (a.status != 202 || !a.location))
		rc = reg_refused(&a, code, e);
	else if (rc >= 0) {
		*ret_location = reg_resolve(url, a.location);
		rc = *ret_location ? 0 : err_invalid(e, "the registry's upload has no place");
	}
	reg_answer_done(&a);
	return rc;
}

/* an upload that was begun in vain is given back */
static void cancel_upload(struct registry *r, void *h, const char *location)
{
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	struct err e;

	c.method = "DELETE";
	c.url = location;
	if (str_has_prefix(location, r->at->url))
		(void)reg_request(r, h, &c, &a, &e); /* the registry gives up by itself, later */
	reg_answer_done(&a);
}

/* Return: 1, 0 nowhere, -errno */
static int mount(struct registry *r, void *h, const struct push *p, struct err *e)
{
	int rc = 0;

	for (char **f = p->from; rc == 0 && f && *f; f++) {
		auto_free char *query = str_printf("?mount=%s&from=%s", p->digest, *f);
		auto_free char *location = NULL;

		if (!query || strv_addf(&r->scopes, "repository:%s:pull", *f) < 0)
			return err_nomem(e);
		reg_forget(r); /* a token that covers both */
		rc = begin_upload(r, h, query, &location, NULL);
		if (rc < 0) /* not allowed there: not a reason to stop */
			rc = 0;
		else if (rc == 0)
			cancel_upload(r, h, location);
	}
	return rc;
}

/* ---- the upload ---- */

static int upload(struct registry *r, void *h, const struct push *p, int fd, struct err *e)
{
	auto_free char *location = NULL, *url = NULL;
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	char code[REGISTRY_CODE_SIZE];
	struct stat st;
	int rc = begin_upload(r, h, "", &location, e);

	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0 || st.st_size != p->size)
		return err_set(e, ERR_INTERNAL, EIO, "the blob's file has another size");
	url = location ? str_printf("%s%cdigest=%s", location, strchr(location, '?') ? '&' : '?',
				    p->digest)
		       : NULL;
	if (!url)
		return err_nomem(e);
	c.method = "PUT";
	c.url = url;
	c.type = "application/octet-stream";
	c.fd = fd;
	c.body_len = (size_t)p->size;
	c.sending = true;
	c.insecure = r->at->insecure;
	/* a place elsewhere was given its own permission, in its URL */
	rc = str_has_prefix(url, r->at->url) ? reg_request(r, h, &c, &a, e)
					     : reg_http(r, h, &c, &a, e);
	if (rc >= 0 && a.status != 201 && a.status != 204)
		rc = reg_refused(&a, code, e);
	reg_answer_done(&a);
	return rc;
}

/* the endpoint that answers, for good: no mirrors here */
static int find_endpoint(struct registry *r, void *h, struct err *e)
{
	while (r->at->mirror && r->at + 1 < r->endpoints + r->n_endpoints)
		r->at++;
	if (r->pinged)
		return 0;
	int rc = reg_ping(r, h, e);

	r->pinged = rc >= 0;
	return rc;
}

int reg_blob(struct registry *r, void *h, const json_t *command, int fd, struct err *e)
{
	struct push p = {0};
	int rc = read_blob(command, &p, e);

	if (rc >= 0)
		rc = find_endpoint(r, h, e);
	if (rc >= 0 && fd >= 0) {
		rc = upload(r, h, &p, fd, e);
		if (rc >= 0)
			rc = report_blob("pushed", e);
	} else if (rc >= 0) {
		rc = there(r, h, &p, e);
		if (rc > 0)
			rc = report_blob("exists", e);
		else if (rc == 0 && (rc = mount(r, h, &p, e)) >= 0)
			rc = report_blob(rc ? "mounted" : "absent", e);
	}
	strv_free(p.from);
	(void)fd_close(fd);
	if (rc < 0)
		reg_report_failed(e, "", -1);
	return 0;
}

/* ---- the manifest ---- */

int reg_put(struct registry *r, void *h, const json_t *command, struct err *e)
{
	const char *reference = NULL, *type = NULL, *text = NULL;
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	char code[REGISTRY_CODE_SIZE] = "", digest[DIGEST_SIZE];
	int rc = json_get_str(command, "put", "reference", &reference, e);

	if (rc >= 0)
		rc = json_get_str(command, "put", "type", &type, e);
	if (rc >= 0)
		rc = json_get_str(command, "put", "manifest", &text, e);
	if (rc >= 0 && (!reference || !text))
		rc = err_invalid(e, "no manifest");
	if (rc >= 0)
		rc = find_endpoint(r, h, e);
	auto_free char *url = rc >= 0 ? reg_url(r, "manifests/%s", reference) : NULL;

	if (rc >= 0 && !url)
		rc = err_nomem(e);
	if (rc >= 0) {
		c.method = "PUT";
		c.url = url;
		c.type = type;
		c.body = text;
		c.body_len = strlen(text);
		digest_of(text, c.body_len, digest);
		rc = reg_request(r, h, &c, &a, e);
	}
	if (rc >= 0 && a.status != 201 && a.status != 200)
		rc = reg_refused(&a, code, e);
	reg_answer_done(&a);
	if (rc >= 0)
		return reg_report(json_pack("{s:{s:s}}", "put", "digest", digest), e);
	reg_report_failed(e, code, -1);
	return 0;
}
