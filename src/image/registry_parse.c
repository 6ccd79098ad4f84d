/* SPDX-License-Identifier: GPL-2.0-or-later */
/* registry_parse.c - headers and error bodies of registries */
#include "image/registry_parse.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/str.h"

/* ---- WWW-Authenticate ---- */

void challenge_done(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	free(c->error);
	free(c->error_description);
	*c = (struct challenge){0};
}

static const char *skip(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* RFC 9110 5.6.2 */
static size_t token_len(const char *p)
{
	size_t n = 0;

	while (p[n] && (isalnum((unsigned char)p[n]) || strchr("!#$%&'*+-.^_`|~", p[n])))
		n++;
	return n;
}

/* a token or a quoted string at @p; @ret malloc'ed. Return: what follows, NULL broken or no memory
 * (then *ret tells: NULL) */
static const char *read_value(const char *p, char **ret)
{
	size_t n = token_len(p), len = 0;

	*ret = NULL;
	if (*p != '"') {
		*ret = n ? strndup(p, n) : NULL;
		return *ret ? p + n : NULL;
	}
	char *s = malloc(strlen(p));

	if (!s)
		return NULL;
	for (p++; *p && *p != '"'; p++) {
		if (*p == '\\' && p[1])
			p++;
		s[len++] = *p;
	}
	s[len] = '\0';
	if (*p != '"') {
		free(s);
		return NULL;
	}
	*ret = s;
	return p + 1;
}

static char **field(struct challenge *c, const char *name, size_t len)
{
	const struct {
		const char *name;
		char **at;
	} known[] = {{"realm", &c->realm},
		     {"service", &c->service},
		     {"scope", &c->scope},
		     {"error", &c->error},
		     {"error_description", &c->error_description}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strlen(known[i].name) == len && !strncasecmp(known[i].name, name, len))
			return known[i].at;
	return NULL;
}

/* the parameters after a scheme. Return: the next scheme or the end; NULL broken */
static const char *read_params(const char *p, struct challenge *c)
{
	for (;;) {
		while (*p == ',' || *p == ' ' || *p == '\t')
			p++;
		size_t n = token_len(p);
		const char *eq = skip(p + n);
		char **to, *v;

		if (!n || *eq != '=') /* the next scheme, or the end, or rubbish */
			return n || !*p ? p : NULL;
		if (!eq[1] || eq[1] == '=' || eq[1] == ',') { /* another scheme's token68 */
			p = eq + strcspn(eq, ",");
			continue;
		}
		const char *name = p;

		p = read_value(skip(eq + 1), &v);
		if (!p)
			return NULL;
		to = field(c, name, n);
		if (to && !*to)
			*to = v;
		else
			free(v);
	}
}

static enum challenge_kind kind_of(const char *scheme, size_t len)
{
	if (len == 6 && !strncasecmp(scheme, "Bearer", len))
		return CHALLENGE_BEARER;
	return len == 5 && !strncasecmp(scheme, "Basic", len) ? CHALLENGE_BASIC : CHALLENGE_NONE;
}

int challenge_parse(const char *value, struct challenge *c)
{
	for (const char *p = skip(value); p && *p;) {
		struct challenge one = {0};
		size_t n = token_len(p);

		if (!n)
			break;
		one.kind = kind_of(p, n);
		p = read_params(p + n, &one);
		if (one.kind > c->kind && p) {
			challenge_done(c);
			*c = one;
		} else {
			challenge_done(&one);
		}
	}
	return 0;
}

/* ---- other headers ---- */

static int read_number(const char **p, uint64_t *ret)
{
	char digits[21];
	size_t n = strspn(*p, "0123456789");

	if (!n || n >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, *p, n);
	digits[n] = '\0';
	*p += n;
	return parse_u64(digits, ret) < 0 ? -EINVAL : 0;
}

int content_range_parse(const char *value, uint64_t *ret_first, uint64_t *ret_last,
			int64_t *ret_total)
{
	const char *p = skip(value);
	uint64_t first, last, total = 0;
	bool open;

	if (strncasecmp(p, "bytes", 5) != 0)
		return -EINVAL;
	p = skip(p + 5);
	if (read_number(&p, &first) < 0 || *p++ != '-' || read_number(&p, &last) < 0 || *p++ != '/')
		return -EINVAL;
	open = streq(p, "*");
	if (!open && (read_number(&p, &total) < 0 || *skip(p)))
		return -EINVAL;
	if (last < first || (!open && (last >= total || total > INT64_MAX)))
		return -EINVAL;
	*ret_first = first;
	*ret_last = last;
	*ret_total = open ? -1 : (int64_t)total;
	return 0;
}

int upload_range_parse(const char *value, uint64_t *ret_last)
{
	const char *p = skip(value);
	uint64_t first, last;

	if (!strncasecmp(p, "bytes=", 6))
		p += 6;
	if (read_number(&p, &first) < 0 || *p++ != '-' || read_number(&p, &last) < 0 || *skip(p) ||
	    first != 0)
		return -EINVAL;
	*ret_last = last;
	return 0;
}

char *link_next(const char *value)
{
	for (const char *p = value; (p = strchr(p, '<'));) {
		const char *end = strchr(p, '>'), *comma = end ? strchr(end, ',') : NULL;
		const char *rel = end ? strstr(end, "rel=") : NULL;

		if (!end)
			return NULL;
		if (rel && (!comma || rel < comma) &&
		    (str_has_prefix(rel + 4, "\"next\"") || str_has_prefix(rel + 4, "next")))
			return strndup(p + 1, (size_t)(end - p - 1));
		p = end;
	}
	return NULL;
}

/* ---- errors ---- */

const char *http_status_words(unsigned status)
{
	static const struct {
		unsigned status;
		const char *words;
	} known[] = {{400, "Bad Request"},
		     {401, "Unauthorized"},
		     {402, "Payment Required"},
		     {403, "Forbidden"},
		     {404, "Not Found"},
		     {405, "Method Not Allowed"},
		     {406, "Not Acceptable"},
		     {408, "Request Timeout"},
		     {409, "Conflict"},
		     {410, "Gone"},
		     {411, "Length Required"},
		     {412, "Precondition Failed"},
		     {413, "Request Entity Too Large"},
		     {415, "Unsupported Media Type"},
		     {416, "Requested Range Not Satisfiable"},
		     {418, "I'm a teapot"},
		     {422, "Unprocessable Entity"},
		     {429, "Too Many Requests"},
		     {500, "Internal Server Error"},
		     {501, "Not Implemented"},
		     {502, "Bad Gateway"},
		     {503, "Service Unavailable"},
		     {504, "Gateway Timeout"},
		     {507, "Insufficient Storage"}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].status == status)
			return known[i].words;
	return "";
}

/* the default texts of codes that come without one */
static const char *message_of(const char *code)
{
	return streq(code, "UNAUTHORIZED")	? "authentication required"
	       : streq(code, "DENIED")		? "requested access to the resource is denied"
	       : streq(code, "TOOMANYREQUESTS") ? "too many requests"
						: "unknown error";
}

/* "MANIFEST_UNKNOWN" -> "manifest unknown: <message>" */
static void say(struct buf *out, const char *code, const char *message)
{
	for (const char *p = code; *p; p++)
		(void)buf_putc(out, *p == '_' ? ' ' : (char)tolower((unsigned char)*p));
	(void)buf_printf(out, ": %.600s", message); /* sticky, bounded by the caller */
}

static void set_code(char code[REGISTRY_CODE_SIZE], const char *text)
{
	(void)snprintf(code, REGISTRY_CODE_SIZE, "%s", text);
}

/* {"errors":[{"code":..,"message":..}]}, or the irregular {"details":..} */
static bool say_body(unsigned status, const json_t *body, char code[REGISTRY_CODE_SIZE],
		     struct buf *out)
{
	const json_t *first = json_array_get(json_get(body, "errors"), 0);
	const char *details = json_string_value(json_get(body, "details"));
	const char *c = json_string_value(json_get(first, "code"));
	const char *message = json_string_value(json_get(first, "message"));

	if (!str_empty(details)) {
		c = status == 401 ? "UNAUTHORIZED" : status == 429 ? "TOOMANYREQUESTS" : "UNKNOWN";
		message = details;
	}
	if (str_empty(c))
		return false;
	set_code(code, c);
	say(out, code, str_empty(message) ? message_of(code) : message);
	return true;
}

static bool say_challenge(const struct challenge *auth, char code[REGISTRY_CODE_SIZE],
			  struct buf *out)
{
	if (!auth || auth->kind != CHALLENGE_BEARER || !auth->error)
		return false;
	if (streq(auth->error, "invalid_token"))
		set_code(code, "UNAUTHORIZED");
	else if (streq(auth->error, "insufficient_scope"))
		set_code(code, "DENIED");
	else
		return false;
	say(out, code,
	    str_empty(auth->error_description) ? message_of(code) : auth->error_description);
	return true;
}

void registry_error_text(unsigned status, const char *body, size_t len,
			 const struct challenge *auth, char code[REGISTRY_CODE_SIZE],
			 struct buf *out)
{
	auto_json json_t *j = NULL;
	bool told;

	*code = '\0';
	if (status < 400 || status >= 500) {
		(void)buf_printf(out, "received unexpected HTTP status: %u %s", status,
				 http_status_words(status));
		return;
	}
	if (json_read(body, len, &j, NULL) < 0)
		j = NULL;
	told = say_challenge(auth, code, out) || say_body(status, j, code, out);
	if (!told && (status == 401 || status == 429)) {
		set_code(code, status == 401 ? "UNAUTHORIZED" : "TOOMANYREQUESTS");
		say(out, code, message_of(code));
	} else if (!told && j) {
		(void)buf_printf(out,
				 "error parsing HTTP %u response body: no error details found in "
				 "HTTP response body: \"%.300s\"",
				 status, body);
	} else if (!told) {
		(void)buf_printf(out,
				 "error parsing HTTP %u response body: invalid JSON: \"%.300s\"",
				 status, body);
	}
}
