/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_ask.c - login and search
 *
 * Sources: Engine API, "SystemAuth" and "ImageSearch"; distribution docs, "Token Authentication";
 * docker.io's index and the old v1 search of registries.
 */
#include <curl/curl.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/registry.h"

/* ---- login ---- */

/* the token server's, or /v2/ itself where it asks for basic */
static int try_login(struct registry *r, void *h, char *code, struct err *e)
{
	auto_free char *url = str_printf("%s/v2/", r->at->url);
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	int rc;

	if (!url)
		return err_nomem(e);
	c.url = url;
	rc = reg_request(r, h, &c, &a, e);
	if (rc >= 0 && a.status != 200)
		rc = err_set(e, ERR_INTERNAL, EACCES,
			     "login attempt to %s failed with status: %u %s", url, a.status,
			     http_status_words(a.status));
	if (rc < 0 && a.status == 401)
		(void)snprintf(code, REGISTRY_CODE_SIZE, "UNAUTHORIZED");
	reg_answer_done(&a);
	return rc;
}

int reg_login(struct registry *r, void *h, struct err *e)
{
	char code[REGISTRY_CODE_SIZE] = "";
	int rc = reg_ping(r, h, e);

	if (rc >= 0)
		rc = try_login(r, h, code, e);
	if (rc >= 0)
		return reg_report(json_pack("{s:{s:s}}", "login", "token", ""), e);
	/* what the token server refused carries its code in the text */
	if (strstr(e->msg, "unauthorized: "))
		(void)snprintf(code, sizeof(code), "UNAUTHORIZED");
	reg_report_failed(e, code, -1);
	return 0;
}

/* ---- search ---- */

static int search_at(struct registry *r, void *h, const char *base, const char *term, int64_t limit,
		     struct reg_answer *a, struct err *e)
{
	char *q = curl_easy_escape(NULL, term, 0);
	auto_free char *url = q ? str_printf("%s/v1/search?q=%s&n=%lld", base, q, (long long)limit)
				: NULL;
	auto_buf struct buf basic = BUF_INIT(128u << 10);
	struct reg_call c = REG_CALL_INIT;
	int rc;

	curl_free(q);
	if (!url)
		return err_nomem(e);
	if (r->auth.user && str_has_prefix(base, "https:"))
		registry_auth_basic(&r->auth, &basic);
	c.url = url;
	c.authorization = basic.len ? buf_str(&basic) : NULL;
	c.body_max = LIMIT_MANIFEST;
	c.insecure = r->at->insecure;
	rc = reg_http(r, h, &c, a, e);
	if (rc >= 0 && a->status != 200)
		rc = err_set(e, ERR_INTERNAL, EACCES, "Unexpected status code %u", a->status);
	return rc;
}

int reg_search(struct registry *r, void *h, const char *term, int64_t limit, struct err *e)
{
	bool hub = streq(r->domain, "docker.io");
	auto_json json_t *j = NULL;
	struct reg_answer a = {0};
	json_t *results = NULL;
	int rc = -EIO;

	for (; rc < 0 && r->at < r->endpoints + r->n_endpoints; r->at++)
		if (!r->at->mirror) {
			rc = search_at(r, h, hub ? "https://index.docker.io" : r->at->url, term,
				       limit, &a, e);
			if (rc >= 0)
				break;
		}
	if (rc >= 0 && json_read(buf_str(&a.body), a.body.len, &j, NULL) < 0)
		rc = err_set(e, ERR_INTERNAL, EIO, "the answer to the search is no JSON");
	results = json_get(j, "results");
	if (rc >= 0 && !json_is_array(results))
		rc = err_set(e, ERR_INTERNAL, EIO, "the answer to the search has no results");
	reg_answer_done(&a);
	if (rc >= 0)
		return reg_report(json_pack("{s:O}", "search", results), e);
	reg_report_failed(e, "", -1);
	return 0;
}
