/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_http.c - one HTTP request by libcurl: bounded, redirects by hand, errors in Go's words
 *
 * Redirects are followed here and not by curl: what authorizes us goes to the host it was meant for
 * and to no other, and nothing is sent over plain HTTP after TLS. Sources: libcurl-easy(3), RFC
 * 9110 15.4; Go's net/http and crypto/tls for the texts.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/str.h"
#include "image/registry.h"

#define REDIRECTS_MAX  10
#define CONNECT_MS     15000L
#define STALL_SECONDS  60L
#define HEADERS_MAX    (256u << 10)
#define RECEIVE_BUFFER (256L << 10)
#define SENT_NS	       (100 * NS_PER_MS)

struct exchange {
	const struct reg_call *c;
	struct reg_answer *a;
	CURL *h;
	size_t headers;
	uint64_t sent;
	int64_t told_ns;
	bool too_large;
	char detail[CURL_ERROR_SIZE]; /* curl's own words */
};

void reg_answer_done(struct reg_answer *a)
{
	char *texts[] = {a->type,	   a->digest, a->location, a->link,
			 a->content_range, a->range,  a->upload};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	challenge_done(&a->auth);
	buf_done(&a->body);
	*a = (struct reg_answer){0};
}

/* ---- what comes ---- */

static int take_header(struct reg_answer *a, const char *name, size_t len, const char *value)
{
	const struct {
		const char *name;
		char **at;
	} kept[] = {{"Content-Type", &a->type},		  {"Docker-Content-Digest", &a->digest},
		    {"Location", &a->location},		  {"Link", &a->link},
		    {"Content-Range", &a->content_range}, {"Range", &a->range},
		    {"Docker-Upload-UUID", &a->upload}};

	if (len == 16 && !strncasecmp(name, "WWW-Authenticate", len))
		return challenge_parse(value, &a->auth);
	if (len == 11 && !strncasecmp(name, "Retry-After", len)) {
		(void)parse_u32(value, &a->retry_after); /* a date is not looked at */
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (strlen(kept[i].name) == len && !strncasecmp(kept[i].name, name, len))
			return str_set(kept[i].at, value);
	return 0;
}

static size_t on_header(char *line, size_t one, size_t n, void *data)
{
	struct exchange *x = data;
	const char *colon = memchr(line, ':', n * one);
	size_t len = n * one;

	x->headers += len;
	if (x->headers > HEADERS_MAX)
		return 0;
	if (len > 5 && !strncmp(line, "HTTP/", 5)) { /* after a 100 Continue, or a proxy's */
		reg_answer_done(x->a);
		x->a->body = BUF_INIT(x->c->body_max);
		return len;
	}
	if (!colon)
		return len;
	while (len && strchr("\r\n \t", line[len - 1]))
		len--;
	const char *v = colon + 1;

	while (v < line + len && (*v == ' ' || *v == '\t'))
		v++;
	auto_free char *value = strndup(v, (size_t)MAX(line + len - v, 0));

	return value && take_header(x->a, line, (size_t)(colon - line), value) >= 0 ? n * one : 0;
}

static size_t on_body(char *piece, size_t one, size_t n, void *data)
{
	struct exchange *x = data;
	long status = 0;
	size_t len = one * n;

	(void)curl_easy_getinfo(x->h, CURLINFO_RESPONSE_CODE, &status);
	if (x->c->sink && (status == 200 || status == 206)) {
		x->a->sunk = x->c->sink(x->c->data, (unsigned)status, piece, len);
		return x->a->sunk < 0 ? 0 : len;
	}
	if (x->a->body.len + len > x->c->body_max && status >= 300) /* enough for its text */
		len = x->c->body_max - x->a->body.len;
	if (buf_add(&x->a->body, piece, len) < 0) {
		x->too_large = true;
		return 0;
	}
	return one * n;
}

/* ---- what goes ---- */

static void tell_sent(struct exchange *x)
{
	int64_t now = clock_mono_ns();
	struct err e;

	if (!x->c->sending || (now - x->told_ns < SENT_NS && x->sent < x->c->body_len))
		return;
	x->told_ns = now;
	(void)reg_report(json_pack("{s:I}", "sent", (json_int_t)x->sent), &e); /* a line less */
}

static size_t on_send(char *room, size_t one, size_t n, void *data)
{
	struct exchange *x = data;
	size_t want = MIN(one * n, x->c->body_len - x->sent);

	if (x->c->fd < 0) {
		memcpy(room, (const char *)x->c->body + x->sent, want);
	} else {
		ssize_t got = pread(x->c->fd, room, want, (off_t)x->sent);

		if (got < 0 || (got == 0 && want))
			return CURL_READFUNC_ABORT;
		want = (size_t)got;
	}
	x->sent += want;
	tell_sent(x);
	return want;
}

static int on_seek(void *data, curl_off_t offset, int origin)
{
	struct exchange *x = data;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > x->c->body_len)
		return CURL_SEEKFUNC_CANTSEEK;
	x->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* ---- texts ---- */

static const char *verb(const char *method)
{
	return streq(method, "GET")	? "Get"
	       : streq(method, "HEAD")	? "Head"
	       : streq(method, "POST")	? "Post"
	       : streq(method, "PUT")	? "Put"
	       : streq(method, "PATCH") ? "Patch"
					: method;
}

static const char *errno_words(long code)
{
	switch (code) {
	case ECONNREFUSED:
		return "connection refused";
	case ENETUNREACH:
		return "network is unreachable";
	case EHOSTUNREACH:
		return "no route to host";
	default:
		return code ? strerror((int)code) : "connection failed";
	}
}

/* "host:443" of a URL */
static void say_host(const char *url, char *out, size_t room, bool port)
{
	const char *p = strstr(url, "://"), *at = p ? p + 3 : url;
	int n = (int)strcspn(at, "/?#");
	bool has = memchr(at, ':', (size_t)n) != NULL;

	if (port)
		(void)snprintf(out, room, "%.*s%s", n, at,
			       has			       ? ""
			       : str_has_prefix(url, "https:") ? ":443"
							       : ":80");
	else
		(void)snprintf(out, room, "%.*s", has ? (int)strcspn(at, ":") : n, at);
}

static void say_connect(CURL *h, const char *url, char *out, size_t room)
{
	const char *ip = NULL;
	char host[300];
	long code = 0;

	(void)curl_easy_getinfo(h, CURLINFO_PRIMARY_IP, &ip);
	(void)curl_easy_getinfo(h, CURLINFO_OS_ERRNO, &code);
	say_host(url, host, sizeof(host), true);
	if (!str_empty(ip)) {
		long port = 0;

		(void)curl_easy_getinfo(h, CURLINFO_PRIMARY_PORT, &port);
		(void)snprintf(host, sizeof(host), strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip,
			       port);
	}
	(void)snprintf(out, room, "dial tcp %s: connect: %s", host, errno_words(code));
}

static void say_certificate(const char *detail, char *out, size_t room)
{
	const char *why = strcasestr(detail, "expired")
				  ? "certificate has expired or is not yet valid"
			  : strcasestr(detail, "does not match") || strcasestr(detail, "SAN")
				  ? "certificate is not valid for this name"
				  : "certificate signed by unknown authority";

	(void)snprintf(out, room, "tls: failed to verify certificate: x509: %s", why);
}

static void say_failure(const struct registry *r, const struct exchange *x, CURLcode rc,
			const char *url, char *out, size_t room)
{
	const char *detail = x->detail;
	char host[300];

	switch (rc) {
	case CURLE_COULDNT_RESOLVE_HOST:
		say_host(url, host, sizeof(host), false);
		(void)snprintf(out, room, "dial tcp: lookup %s%s%s%s: no such host", host,
			       r->files.nameserver ? " on " : "",
			       r->files.nameserver ? r->files.nameserver : "",
			       r->files.nameserver ? ":53" : "");
		break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		(void)snprintf(out, room, "proxyconnect tcp: dial tcp: lookup: no such host");
		break;
	case CURLE_COULDNT_CONNECT:
		say_connect(x->h, url, out, room);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		say_certificate(detail, out, room);
		break;
	case CURLE_SSL_CONNECT_ERROR:
		if (strstr(detail, "unexpected TLS packet") || strstr(detail, "wrong version"))
			(void)snprintf(out, room,
				       "http: server gave HTTP response to HTTPS client");
		else
			(void)snprintf(out, room, "tls: handshake failure: %s", detail);
		break;
	case CURLE_OPERATION_TIMEDOUT:
		(void)snprintf(out, room,
			       "net/http: request canceled (Client.Timeout exceeded while awaiting "
			       "headers)");
		break;
	case CURLE_PARTIAL_FILE:
		(void)snprintf(out, room, "unexpected EOF");
		break;
	case CURLE_GOT_NOTHING:
		(void)snprintf(out, room, "EOF");
		break;
	default:
		(void)snprintf(out, room, "%s", *detail ? detail : curl_easy_strerror(rc));
	}
}

/* ---- one exchange ---- */

#define SET(what, value) (void)curl_easy_setopt(h, (what), (value))

static void set_tls(const struct registry *r, CURL *h, const struct reg_call *c, const char *url)
{
	const char *p = strstr(url, "://"), *at = p ? p + 3 : url;
	auto_free char *host = strndup(at, strcspn(at, "/?#"));
	const struct registry_tls *t = host ? registry_tls_of(&r->files, host) : NULL;

	if (!t)
		t = registry_tls_of(&r->files, "");
	SET(CURLOPT_CAPATH, NULL);
	/* none where nothing is verified: to read the system's takes half of a short pull */
	SET(CURLOPT_CAINFO, t && !c->insecure ? t->ca : NULL);
	SET(CURLOPT_SSLCERT, t ? t->cert : NULL);
	SET(CURLOPT_SSLKEY, t ? t->key : NULL);
	SET(CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L);
	SET(CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L);
}

static void set_method(CURL *h, const struct reg_call *c, struct exchange *x)
{
	bool body = c->body || c->fd >= 0;

	SET(CURLOPT_NOBODY, streq(c->method, "HEAD") ? 1L : 0L);
	SET(CURLOPT_CUSTOMREQUEST, streq(c->method, "HEAD") ? NULL : c->method);
	if (!body && !streq(c->method, "GET") && !streq(c->method, "HEAD")) {
		SET(CURLOPT_POSTFIELDS, "");
		SET(CURLOPT_POSTFIELDSIZE, 0L);
	} else if (body) {
		SET(CURLOPT_UPLOAD, 1L);
		SET(CURLOPT_READFUNCTION, on_send);
		SET(CURLOPT_READDATA, x);
		SET(CURLOPT_SEEKFUNCTION, on_seek);
		SET(CURLOPT_SEEKDATA, x);
		SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)c->body_len);
	} else if (streq(c->method, "GET")) {
		SET(CURLOPT_HTTPGET, 1L);
		SET(CURLOPT_CUSTOMREQUEST, NULL);
	}
}

static int add_header(struct curl_slist **list, const char *name, const char *value)
{
	auto_free char *line = value ? str_printf("%s: %s", name, value) : NULL;
	struct curl_slist *more = line ? curl_slist_append(*list, line) : NULL;

	if (more)
		*list = more;
	return !value || more ? 0 : -ENOMEM;
}

static int set_headers(CURL *h, const struct reg_call *c, const char *authorization,
		       struct curl_slist **list)
{
	char range[48];
	int r = add_header(list, "Accept", c->accept);

	if (r >= 0)
		r = add_header(list, "Content-Type", c->type);
	if (r >= 0)
		r = add_header(list, "Authorization", authorization);
	if (r >= 0 && c->from) {
		(void)snprintf(range, sizeof(range), "bytes=%llu-", (unsigned long long)c->from);
		r = add_header(list, "Range", range);
	}
	if (r >= 0 && (c->body || c->fd >= 0)) {
		struct curl_slist *more = curl_slist_append(*list, "Expect:");

		r = more ? 0 : -ENOMEM;
		*list = more ? more : *list;
	}
	SET(CURLOPT_HTTPHEADER, *list);
	return r;
}

static void set_common(const struct registry *r, CURL *h, const struct reg_call *c, const char *url,
		       struct exchange *x)
{
	bool tls = str_has_prefix(url, "https:");

	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_ERRORBUFFER, x->detail);
	SET(CURLOPT_USERAGENT, "atoll/" ATOLL_VERSION);
	SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	SET(CURLOPT_LOW_SPEED_LIMIT, 1L);
	SET(CURLOPT_LOW_SPEED_TIME, STALL_SECONDS);
	SET(CURLOPT_BUFFERSIZE, RECEIVE_BUFFER);
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_PROXY, tls ? r->proxy_https : r->proxy_http);
	SET(CURLOPT_NOPROXY, r->no_proxy ? r->no_proxy : "");
	if (!r->proxy_http && !r->proxy_https)
		SET(CURLOPT_PROXY, ""); /* the environment is not asked */
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, x);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, x);
	set_tls(r, h, c, url);
}

static int exchange(const struct registry *r, CURL *h, const struct reg_call *c, const char *url,
		    const char *authorization, struct reg_answer *a, struct err *e)
{
	struct exchange x = {.c = c, .a = a, .h = h};
	struct curl_slist *list = NULL;
	char text[700];
	long status = 0;

	reg_answer_done(a);
	a->body = BUF_INIT(c->body_max);
	curl_easy_reset(h); /* connections stay */
	set_common(r, h, c, url, &x);
	set_method(h, c, &x);
	if (set_headers(h, c, authorization, &list) < 0) {
		curl_slist_free_all(list);
		return err_nomem(e);
	}
	CURLcode rc = curl_easy_perform(h);

	SET(CURLOPT_HTTPHEADER, NULL);
	SET(CURLOPT_ERRORBUFFER, NULL);
	curl_slist_free_all(list);
	(void)curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &status);
	a->status = (unsigned)status;
	if (rc == CURLE_OK)
		return 0;
	if (a->sunk < 0) /* what it was is the sink's to say */
		return err_set(e, ERR_INTERNAL, -a->sunk, "%s \"%.300s\": canceled",
			       verb(c->method), url);
	if (x.too_large || x.headers > HEADERS_MAX)
		return err_set(e, ERR_INTERNAL, EMSGSIZE,
			       "%s \"%.300s\": the answer is larger than %zu bytes",
			       verb(c->method), url, x.too_large ? c->body_max : HEADERS_MAX);
	say_failure(r, &x, rc, url, text, sizeof(text));
	return err_set(e, ERR_INTERNAL, rc == CURLE_SSL_CONNECT_ERROR ? EPROTO : EIO,
		       "%s \"%.300s\": %s", verb(c->method), url, text);
}

/* ---- redirects ---- */

char *reg_resolve(const char *url, const char *location)
{
	CURLU *u = curl_url();
	char *text = NULL, *out = NULL;

	if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
	    curl_url_get(u, CURLUPART_URL, &text, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
		out = strdup(text);
	curl_free(text);
	curl_url_cleanup(u);
	return out;
}

/* scheme, host and port */
static bool same_place(const char *a, const char *b)
{
	const char *end = strstr(a, "://");
	size_t n = end ? (size_t)(end + 3 - a) + strcspn(end + 3, "/?#") : 0;

	return n && !strncasecmp(a, b, n) && (!b[n] || strchr("/?#", b[n]));
}

static bool is_redirect(unsigned status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* the next place. Return: 1, 0 there is none, -errno */
static int next_place(const struct reg_call *c, const struct reg_answer *a, char **url,
		      bool *trusted, struct err *e)
{
	if (c->stay || !is_redirect(a->status) || !a->location)
		return 0;
	auto_free char *to = reg_resolve(*url, a->location);

	if (!to)
		return err_invalid(e, "%s \"%.300s\": failed to parse Location header",
				   verb(c->method), *url);
	if (str_has_prefix(*url, "https:") && !str_has_prefix(to, "https:") && !c->insecure)
		return err_invalid(e, "%s \"%.300s\": refusing a redirect from https to %.300s",
				   verb(c->method), *url, to);
	*trusted = *trusted && same_place(*url, to);
	free(*url);
	*url = TAKE_PTR(to);
	return 1;
}

int reg_http(struct registry *r, void *h, const struct reg_call *c, struct reg_answer *ret,
	     struct err *e)
{
	auto_free char *url = strdup(c->url);
	bool trusted = true;
	int rc = 1;

	for (int hop = 0; url && rc > 0; hop++) {
		if (hop > REDIRECTS_MAX)
			return err_invalid(e, "%s \"%.300s\": stopped after %d redirects",
					   verb(c->method), c->url, REDIRECTS_MAX);
		rc = exchange(r, h, c, url, trusted ? c->authorization : NULL, ret, e);
		if (rc >= 0)
			rc = next_place(c, ret, &url, &trusted, e);
	}
	return url ? rc : err_nomem(e);
}

int reg_refused(const struct reg_answer *a, char code[REGISTRY_CODE_SIZE], struct err *e)
{
	auto_buf struct buf text = BUF_INIT(900);

	registry_error_text(a->status, buf_str(&a->body), a->body.len, &a->auth, code, &text);
	return err_set(e,
		       streq(code, "DENIED") || streq(code, "MANIFEST_UNKNOWN") ||
				       streq(code, "NAME_UNKNOWN")
			       ? ERR_NOT_FOUND
			       : ERR_INTERNAL,
		       a->status == 429 || a->status >= 500 ? EAGAIN : EACCES, "%s",
		       buf_str(&text));
}
